#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "services/common/procfs/process.h"
#include "services/discovery/host_process.h"

namespace stoker::discovery {

// Follows the processes of a host at low cost: a scan lists /proc once and reads only what is new,
// what was started a moment ago (a process is often seen between its fork and its exec), and,
// evenly spread over each refresh interval, the others. Not thread-safe.
class ProcessScanner {
 public:
  using UserNameOf = std::function<std::string(uid_t)>;

  ProcessScanner(procfs::ProcessReader reader, UserNameOf user_name_of)
      : reader_(std::move(reader)), user_name_of_(std::move(user_name_of)) {}

  // All processes at `now`, a time that never goes back; the same pointer as before when none
  // changed. A process that cannot be read is left out and counted. An error, and nothing changed,
  // when the list of processes cannot be read.
  absl::StatusOr<HostProcessesPtr> Scan(absl::Duration now, absl::Duration refresh_interval);

  struct Counts {
    // Of the last scan.
    std::size_t read = 0;
    // Of the last list: processes of which the kernel hides something from us.
    std::size_t denied = 0;
    // Since the start: processes whose files could not be made out, but for those that ended.
    std::uint64_t failed = 0;
  };
  [[nodiscard]] const Counts& counts() const { return counts_; }

 private:
  struct Known {
    // Of /proc/PID; another one is another process, or one to read again.
    std::uint64_t inode = 0;
    // Null: not to be read, or already gone.
    std::shared_ptr<const HostProcess> process;
    int reads = 0;
    absl::Duration next_read;
    // The scan that saw it last.
    std::uint64_t scan = 0;
  };

  // Reads `pid` again; true when that changed something.
  bool Refresh(pid_t pid, Known& known);
  // True when processes were forgotten.
  bool ForgetEnded();
  [[nodiscard]] HostProcessesPtr MakeList();

  const procfs::ProcessReader reader_;
  const UserNameOf user_name_of_;
  std::unordered_map<pid_t, Known> known_;
  std::uint64_t scan_ = 0;
  HostProcessesPtr list_;
  Counts counts_;
};

}  // namespace stoker::discovery
