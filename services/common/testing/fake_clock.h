#pragma once

#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include "services/common/base/clock.h"

namespace stoker::testing {

// A clock that stands still until Advance. Thread-safe.
class FakeClock final : public Clock {
 public:
  explicit FakeClock(absl::Time start = absl::FromUnixSeconds(1'700'000'000)) : start_(start) {}

  [[nodiscard]] absl::Time Now() const override { return start_ + Monotonic(); }
  [[nodiscard]] absl::Duration Monotonic() const override {
    absl::MutexLock lock(&mutex_);
    return elapsed_;
  }

  void Advance(absl::Duration by) {
    absl::MutexLock lock(&mutex_);
    elapsed_ += by;
  }

 private:
  const absl::Time start_;
  mutable absl::Mutex mutex_;
  absl::Duration elapsed_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace stoker::testing
