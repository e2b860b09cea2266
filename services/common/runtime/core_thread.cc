#include "services/common/runtime/core_thread.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <absl/synchronization/notification.h>
#include <absl/time/clock.h>

namespace stoker::runtime {

CoreThread::CoreThread(absl::Duration tick_interval, std::function<void()> tick)
    : tick_interval_(tick_interval),
      tick_(std::move(tick)),
      events_(kCapacity),
      thread_([this] { Run(); }) {}

CoreThread::~CoreThread() { Stop(); }

bool CoreThread::Post(std::function<void()> event) { return events_.TryPush(std::move(event)); }

void CoreThread::Call(const std::function<void()>& event) {
  absl::Notification done;
  const bool posted = Post([&] {
    event();
    done.Notify();
  });
  if (posted) done.WaitForNotification();
}

bool CoreThread::Await(absl::Duration timeout, const std::function<bool()>& holds) {
  const absl::Time deadline = absl::Now() + timeout;
  bool held = false;
  while (!held && absl::Now() < deadline) {
    Call([&] { held = holds(); });
    if (!held) absl::SleepFor(tick_interval_);
  }
  return held;
}

void CoreThread::Stop() {
  events_.Close();
  if (thread_.joinable()) thread_.join();
}

void CoreThread::Run() {
  absl::Time next = absl::Now() + tick_interval_;
  while (!events_.drained()) {
    const absl::Duration left = std::max(next - absl::Now(), absl::ZeroDuration());
    if (std::optional<std::function<void()>> event = events_.Pop(left)) (*event)();
    if (absl::Now() < next) continue;
    tick_();
    next = absl::Now() + tick_interval_;
  }
}

}  // namespace stoker::runtime
