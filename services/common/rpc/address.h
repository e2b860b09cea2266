#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

namespace stoker::rpc {

// Where a process listens: "unix:/path/to.sock", or "host:port" with port 0 for any.
struct Address {
  // The socket's path, or empty.
  std::string unix_path;
  // A name, an IPv4 address, or an IPv6 address without brackets.
  std::string host;
  std::uint16_t port = 0;

  [[nodiscard]] bool is_unix() const { return !unix_path.empty(); }
  // True for a Unix socket, 127.0.0.0/8, ::1 and localhost.
  [[nodiscard]] bool is_local() const;
};

absl::StatusOr<Address> ParseAddress(std::string_view text);

}  // namespace stoker::rpc
