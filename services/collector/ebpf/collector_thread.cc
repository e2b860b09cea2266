#include "services/collector/ebpf/collector_thread.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <utility>

#include <absl/time/clock.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "services/common/base/status.h"
#include "services/common/log/log.h"

namespace stoker::ebpf {
namespace {

constexpr int kPollMs = 100;
// While stacks wait for what other threads are about to find.
constexpr int kWaitingPollMs = 5;

// For how long a process without a target is left out, at most; a younger one, whose target may
// come yet, for as long as it is old.
constexpr absl::Duration kUnwanted = absl::Seconds(30);

absl::Duration Age(const procfs::ProcessKey& process) {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  // USER_HZ is 100.
  return absl::DurationFromTimespec(now) - absl::Milliseconds(10) * process.start_ticks;
}

void Watch(int epoll, int fd) {
  epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
  epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

}  // namespace

CollectorThread::CollectorThread(Collector& core, walker::BpfMemory& memory,
                                 std::function<void()> each_second)
    : core_(core),
      memory_(memory),
      each_second_(std::move(each_second)),
      wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  Watch(epoll_.get(), wake_.get());
  core_.SetUnwanted([this](const SamplerKind& kind, const procfs::ProcessKey& process) {
    const auto sampler = samplers_.find(kind);
    if (sampler == samplers_.end()) return;
    sampler->second->Unwanted(static_cast<std::uint32_t>(process.pid), process.start_ticks,
                              std::min(Age(process), kUnwanted));
  });
  thread_ = std::thread([this] { Loop(); });
}

CollectorThread::~CollectorThread() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  eventfd_write(wake_.get(), 1);
  thread_.join();
}

void CollectorThread::Run(const std::function<void()>& work) {
  absl::MutexLock one(&run_mutex_);
  absl::MutexLock lock(&mutex_);
  work_ = &work;
  eventfd_write(wake_.get(), 1);
  const auto done = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return work_ == nullptr; };
  mutex_.Await(absl::Condition(&done));
}

void CollectorThread::Loop() {
  while (true) {
    Wait();
    DrainAll();
    core_.Tick();
    if (absl::Now() >= next_second_) {
      ReadStats();
      each_second_();
      next_second_ = absl::Now() + absl::Seconds(1);
    }
    const std::function<void()>* work = nullptr;
    {
      absl::MutexLock lock(&mutex_);
      if (stopping_) return;
      work = work_;
    }
    if (work == nullptr) continue;
    (*work)();
    absl::MutexLock lock(&mutex_);
    work_ = nullptr;
  }
}

void CollectorThread::Wait() {
  std::array<epoll_event, 8> events{};
  epoll_wait(epoll_.get(), events.data(), events.size(),
             core_.Waiting() ? kWaitingPollMs : kPollMs);
  eventfd_t ignored = 0;
  eventfd_read(wake_.get(), &ignored);
}

void CollectorThread::DrainAll() {
  for (const auto& [kind, sampler] : samplers_) {
    const absl::Status status = sampler->Drain(core_.SinkOf(kind));
    if (!status.ok()) log::Error("samples not read", {{"error", status}});
  }
}

void CollectorThread::ReadStats() {
  for (const auto& [kind, sampler] : samplers_) core_.OnStats(kind, sampler->ReadStats());
}

absl::Status CollectorThread::SetSamplers(const std::vector<SamplerKind>& kinds) {
  std::map<SamplerKind, std::unique_ptr<Sampler>> started;
  for (const SamplerKind& kind : kinds) {
    if (samplers_.contains(kind) || started.contains(kind)) continue;
    STOKER_ASSIGN_OR_RETURN(started[kind], Sampler::Start(kind, memory_));
  }
  // The others begin as these end: no time is sampled twice, or not at all.
  const auto ends = [&](const auto& entry) {
    return std::ranges::find(kinds, entry.first) == kinds.end();
  };
  for (const auto& entry : samplers_) {
    if (ends(entry)) entry.second->Stop();
  }
  // Loading took a while, and what comes next may be other components.
  DrainAll();
  ReadStats();
  std::erase_if(samplers_, ends);
  for (auto& [kind, sampler] : started) {
    Watch(epoll_.get(), sampler->wake_fd());
    core_.OnSamplerStart(kind);
    samplers_[kind] = std::move(sampler);
  }
  return absl::OkStatus();
}

void CollectorThread::StopSamplers() {
  for (const auto& [kind, sampler] : samplers_) sampler->Stop();
  DrainAll();
  ReadStats();
  samplers_.clear();
}

}  // namespace stoker::ebpf
