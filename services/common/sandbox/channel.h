#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "services/common/base/unique_fd.h"

namespace stoker::sandbox {

// Both ends of the socket between a sandbox and its worker speak in these packets: a fixed header
// with the descriptors (SCM_RIGHTS), then name and body.
struct Packet {
  // Of a request: the job. Of a response: empty.
  std::string name;
  // Of a response: an absl::StatusCode.
  std::uint32_t code = 0;
  // Of a request: how long the job may run.
  std::uint64_t deadline_ms = 0;
  // The request, the response, or the error's message.
  std::string body;
};

inline constexpr std::size_t kMaxFds = 8;
inline constexpr std::size_t kMaxNameBytes = 64;

// Sends `packet` and duplicates of `fds`. UNAVAILABLE: the peer is gone. DEADLINE_EXCEEDED: it did
// not take the bytes by `deadline` (CLOCK_MONOTONIC).
absl::Status Send(int socket, const Packet& packet, std::span<const int> fds,
                  absl::Duration deadline);

struct Received {
  Packet packet;
  std::vector<UniqueFd> fds;
};

// Receives one packet with a body of at most `max_bytes`. Errors as of Send, and DATA_LOSS for
// what is no packet.
absl::StatusOr<Received> Receive(int socket, std::size_t max_bytes, absl::Duration deadline);

// Now, as deadlines count.
absl::Duration MonotonicNow();

}  // namespace stoker::sandbox
