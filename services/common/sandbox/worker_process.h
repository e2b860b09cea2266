#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include <sys/types.h>

#include "services/common/base/unique_fd.h"

namespace stoker::sandbox {

// One worker, from the parent's side. Used and destroyed by the thread that started it: the kernel
// kills a worker when that thread ends.
class WorkerProcess {
 public:
  struct Limits {
    std::size_t memory_bytes;
    // Size of a file that a job may write.
    std::size_t file_bytes;
    std::size_t response_bytes;
  };

  static absl::StatusOr<std::unique_ptr<WorkerProcess>> Start(const Limits& limits);
  // Kills it, and leaves a zombie when it does not end (Abandon).
  ~WorkerProcess();

  // Runs one job. After a failure that was not the job's own answer, `alive` is false and the
  // status names what became of the process: DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED (memory),
  // INTERNAL (a crash or a forbidden system call), UNAVAILABLE (it did not start).
  absl::StatusOr<std::string> Run(std::string_view job, std::span<const int> fds,
                                  std::string request, absl::Duration deadline);
  [[nodiscard]] bool alive() const { return socket_.valid(); }

  // Kills the process and waits a moment. False: it sits in the kernel and has not ended.
  bool Kill();
  // Hands over a killed process that has not ended: the caller reaps it some time.
  [[nodiscard]] pid_t Abandon() { return std::exchange(pid_, 0); }

 private:
  WorkerProcess(pid_t pid, UniqueFd socket, const Limits& limits)
      : pid_(pid), socket_(std::move(socket)), limits_(limits) {}

  absl::Status Exited(std::string_view job);

  // 0 once it was reaped.
  pid_t pid_;
  UniqueFd socket_;
  const Limits limits_;
};

}  // namespace stoker::sandbox
