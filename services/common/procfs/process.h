#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <sys/types.h>

namespace stoker::procfs {

// Tells a process from every other since boot.
struct ProcessKey {
  pid_t pid = 0;
  // Field 22 of /proc/PID/stat: clock ticks since boot.
  std::uint64_t start_ticks = 0;
  auto operator<=>(const ProcessKey&) const = default;
};

// Parts of a process that are read only where somebody wants them; a set of bits.
using ProcessFields = std::uint8_t;
inline constexpr ProcessFields kExe = 1;
inline constexpr ProcessFields kCwd = 2;
inline constexpr ProcessFields kCommandline = 4;
inline constexpr ProcessFields kCgroup = 8;
inline constexpr ProcessFields kUid = 16;

// A process as /proc shows it. Texts are UTF-8: other bytes are replaced.
struct Process {
  ProcessKey key;
  std::string exe;
  std::string cwd;
  // The arguments, joined by blanks; the first 32 KiB.
  std::string commandline;
  // The lines of /proc/PID/cgroup, whole, joined by '|'.
  std::string cgroup;
  std::string container_id;
  // The real one.
  uid_t uid = 0;
  // Wanted, and not to be read. A kernel thread and a zombie have no exe.
  ProcessFields missing = 0;
  // Of `missing`, what the kernel refuses us: exe and cwd of others need CAP_SYS_PTRACE.
  ProcessFields denied = 0;
  bool operator==(const Process&) const = default;
};

// Reads processes under a root laid out as /proc. Thread-compatible.
class ProcessReader {
 public:
  explicit ProcessReader(std::string root = "/proc") : root_(std::move(root)) {}

  struct Entry {
    pid_t pid = 0;
    // Of the directory /proc/PID. The kernel makes a new one for a new process of the same pid
    // (fs/proc/base.c, proc_flush_pid), and may make a new one for the same process.
    std::uint64_t inode = 0;
    auto operator<=>(const Entry&) const = default;
  };

  // All processes, in no order; one directory listing. An error where the root cannot be read.
  [[nodiscard]] absl::StatusOr<std::vector<Entry>> List() const;

  // One process with `wanted`. NOT_FOUND when it is gone; whatever else fails is in `missing`.
  [[nodiscard]] absl::StatusOr<Process> Read(pid_t pid, ProcessFields wanted) const;

 private:
  const std::string root_;
};

}  // namespace stoker::procfs
