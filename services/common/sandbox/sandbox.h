#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

namespace stoker::sandbox {

// Runs jobs (job.h) on hostile bytes in worker processes that may die without harm. The binary's
// main begins as worker.h says. Needs no privilege and leaves the workers none.
//
// Each worker belongs to one thread of the sandbox, which starts it when first needed, starts
// another after a crash, and replaces it after `jobs_per_worker` jobs or when it was idle. A worker
// that hangs in the kernel, on a file system that does not answer, is left behind and replaced; at
// `max_abandoned` of them the sandbox refuses jobs until some have ended.
//
// Thread-safe.
class Sandbox {
 public:
  struct Options {
    // Jobs that run at a time.
    int workers = 1;
    int jobs_per_worker = 1000;
    // A worker without work is ended, and its memory with it.
    absl::Duration idle_timeout = absl::Seconds(10);
    // Address space of a worker.
    std::size_t memory_bytes = std::size_t{1} << 30;
    std::size_t response_bytes = std::size_t{256} << 20;
    // Size of a file that a job may write to.
    std::size_t file_bytes = std::size_t{1} << 30;
    int max_abandoned = 16;
  };

  explicit Sandbox(const Options& options);
  // Ends the workers. No Run may be running.
  ~Sandbox();

  // Runs one job and waits for it. `fds` (at most 8) are duplicated into the worker; `request` is
  // at most 64 MiB; `deadline` counts from the job's start, after those that wait before it.
  //
  // A job's own error comes back as it is. Of the worker: DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED
  // (memory, or too many workers hang), INTERNAL (crash, forbidden system call), UNAVAILABLE (it
  // cannot be started); their messages begin with "sandbox: ". The next job finds a new worker.
  absl::StatusOr<std::string> Run(std::string_view job, std::span<const int> fds,
                                  std::string request, absl::Duration deadline);

  struct Counts {
    std::uint64_t workers_started = 0;
    // Workers that died or were killed in a job.
    std::uint64_t workers_failed = 0;
    // Workers that hang in the kernel now.
    std::uint64_t workers_abandoned = 0;
  };
  [[nodiscard]] Counts counts() const;

 private:
  class Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace stoker::sandbox
