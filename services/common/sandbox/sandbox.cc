#include "services/common/sandbox/sandbox.h"

#include <deque>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <absl/synchronization/mutex.h>
#include <absl/synchronization/notification.h>
#include <sys/wait.h>

#include "services/common/base/status.h"
#include "services/common/sandbox/channel.h"
#include "services/common/sandbox/worker_process.h"
#include "services/common/sandbox/worker_start.h"

namespace stoker::sandbox {

class Sandbox::Impl {
 public:
  explicit Impl(const Options& options);
  ~Impl();

  absl::StatusOr<std::string> Run(std::string_view job, std::span<const int> fds,
                                  std::string request, absl::Duration deadline);
  [[nodiscard]] Counts counts() const;

 private:
  // A call of Run, which waits.
  struct Call {
    std::string_view job;
    std::span<const int> fds;
    std::string request;
    absl::Duration deadline;
    absl::StatusOr<std::string> result = absl::UnknownError("");
    absl::Notification done;
  };

  // The threads: each owns one worker.
  void Serve();
  [[nodiscard]] bool Stopped() const;
  // Null after `timeout` without a call, and at the end.
  Call* NextCall(absl::Duration timeout);
  void RunCall(Call& call, std::unique_ptr<WorkerProcess>& worker);
  absl::Status Ensure(std::unique_ptr<WorkerProcess>& worker);
  void Retire(std::unique_ptr<WorkerProcess> worker);
  void ReapAbandoned() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  mutable absl::Mutex mutex_;
  std::deque<Call*> calls_ ABSL_GUARDED_BY(mutex_);
  std::vector<pid_t> abandoned_ ABSL_GUARDED_BY(mutex_);
  Counts counts_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

Sandbox::Impl::Impl(const Options& options) : options_(options) {
  for (int i = 0; i < options.workers; ++i) threads_.emplace_back([this] { Serve(); });
}

Sandbox::Impl::~Impl() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  for (std::thread& thread : threads_) thread.join();
}

absl::StatusOr<std::string> Sandbox::Impl::Run(std::string_view job, std::span<const int> fds,
                                               std::string request, absl::Duration deadline) {
  if (fds.size() > kMaxFds || job.size() > kMaxNameBytes || request.size() > kMaxRequestBytes) {
    return InvalidArgument("{}: {} descriptors and {} bytes are too many for a job", job,
                           fds.size(), request.size());
  }
  Call call{.job = job, .fds = fds, .request = std::move(request), .deadline = deadline};
  {
    absl::MutexLock lock(&mutex_);
    calls_.push_back(&call);
  }
  call.done.WaitForNotification();
  return std::move(call.result);
}

Sandbox::Counts Sandbox::Impl::counts() const {
  absl::MutexLock lock(&mutex_);
  Counts counts = counts_;
  counts.workers_abandoned = abandoned_.size();
  return counts;
}

void Sandbox::Impl::Serve() {
  std::unique_ptr<WorkerProcess> worker;
  int jobs = 0;
  while (!Stopped()) {
    Call* call = NextCall(worker == nullptr ? absl::InfiniteDuration() : options_.idle_timeout);
    if (call != nullptr) {
      jobs = worker == nullptr ? 1 : jobs + 1;
      RunCall(*call, worker);
      call->done.Notify();
    }
    const bool retire = call == nullptr || jobs >= options_.jobs_per_worker;
    if (worker != nullptr && retire) Retire(std::move(worker));
  }
}

bool Sandbox::Impl::Stopped() const {
  absl::MutexLock lock(&mutex_);
  return stopping_ && calls_.empty();
}

Sandbox::Impl::Call* Sandbox::Impl::NextCall(absl::Duration timeout) {
  absl::MutexLock lock(&mutex_);
  const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return stopping_ || !calls_.empty();
  };
  mutex_.AwaitWithTimeout(absl::Condition(&ready), timeout);
  if (calls_.empty()) return nullptr;
  Call* call = calls_.front();
  calls_.pop_front();
  return call;
}

void Sandbox::Impl::RunCall(Call& call, std::unique_ptr<WorkerProcess>& worker) {
  if (const absl::Status status = Ensure(worker); !status.ok()) {
    call.result = WithContext(status, "sandbox");
    return;
  }
  call.result = worker->Run(call.job, call.fds, std::move(call.request), call.deadline);
  if (worker->alive()) return;
  {
    absl::MutexLock lock(&mutex_);
    ++counts_.workers_failed;
  }
  Retire(std::move(worker));
}

absl::Status Sandbox::Impl::Ensure(std::unique_ptr<WorkerProcess>& worker) {
  {
    absl::MutexLock lock(&mutex_);
    ReapAbandoned();
    if (abandoned_.size() >= static_cast<std::size_t>(options_.max_abandoned)) {
      return ResourceExhausted("{} workers hang in the kernel", abandoned_.size());
    }
    if (worker != nullptr) return absl::OkStatus();
    ++counts_.workers_started;
  }
  STOKER_ASSIGN_OR_RETURN(worker,
                          WorkerProcess::Start({.memory_bytes = options_.memory_bytes,
                                                .file_bytes = options_.file_bytes,
                                                .response_bytes = options_.response_bytes}));
  return absl::OkStatus();
}

void Sandbox::Impl::Retire(std::unique_ptr<WorkerProcess> worker) {
  if (worker->Kill()) return;
  absl::MutexLock lock(&mutex_);
  abandoned_.push_back(worker->Abandon());
}

void Sandbox::Impl::ReapAbandoned() {
  std::erase_if(abandoned_, [](pid_t pid) { return waitpid(pid, nullptr, WNOHANG) != 0; });
}

Sandbox::Sandbox(const Options& options) : impl_(std::make_unique<Impl>(options)) {}
Sandbox::~Sandbox() = default;

absl::StatusOr<std::string> Sandbox::Run(std::string_view job, std::span<const int> fds,
                                         std::string request, absl::Duration deadline) {
  return impl_->Run(job, fds, std::move(request), deadline);
}

Sandbox::Counts Sandbox::counts() const { return impl_->counts(); }

}  // namespace stoker::sandbox
