#pragma once

#include <cstdint>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

namespace stoker::cli {

// This machine as the checks see it; a test plays one with any fault.
class Host {
 public:
  virtual ~Host() = default;

  // As uname gives it: "6.1.0-13-amd64".
  [[nodiscard]] virtual std::string KernelRelease() const = 0;
  // The first MiB of a file.
  [[nodiscard]] virtual absl::StatusOr<std::string> ReadFile(const std::string& path) const = 0;
  // Whether the kernel makes a BPF ring buffer for us.
  [[nodiscard]] virtual absl::Status TryRingBuffer() const = 0;

  struct Space {
    std::uint64_t free_bytes = 0;
    std::uint64_t total_bytes = 0;
  };
  // Of the file system that `folder` is on, or will be once made.
  [[nodiscard]] virtual absl::StatusOr<Space> DiskSpace(const std::string& folder) const = 0;
  // Whether `folder` can be written to, or made.
  [[nodiscard]] virtual absl::Status CheckWritable(const std::string& folder) const = 0;

  // "nginx, pid 42": who holds the socket of that inode; "" for unknown.
  [[nodiscard]] virtual std::string SocketOwner(std::uint64_t inode) const = 0;
  // Whether the machine's clock is kept right by somebody (NTP).
  [[nodiscard]] virtual bool ClockSynchronized() const = 0;
  // Whether the configuration stands; the diagnostics are the message.
  [[nodiscard]] virtual absl::Status CheckConfiguration(const std::string& path) const = 0;
};

}  // namespace stoker::cli
