#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include "services/forwarder/push_client.h"

namespace stoker::forwarder {

// Ends a wait of the delivery thread, from any thread.
class Wakeup {
 public:
  void Wake() {
    absl::MutexLock lock(&mutex_);
    awake_ = true;
  }
  // Waits for a Wake since the last Await, at most `timeout`.
  void Await(absl::Duration timeout) {
    absl::MutexLock lock(&mutex_);
    mutex_.AwaitWithTimeout(absl::Condition(&awake_), timeout);
    awake_ = false;
  }

 private:
  absl::Mutex mutex_;
  bool awake_ ABSL_GUARDED_BY(mutex_) = false;
};

// Brings answers from the HTTP client's thread to the delivery thread. Thread-safe.
class Mailbox {
 public:
  explicit Mailbox(Wakeup& wakeup) : wakeup_(wakeup) {}

  struct Letter {
    std::uint64_t sequence = 0;
    HttpAnswer answer;
  };
  void Put(std::uint64_t sequence, HttpAnswer answer) {
    {
      absl::MutexLock lock(&mutex_);
      letters_.push_back({sequence, std::move(answer)});
    }
    wakeup_.Wake();
  }
  std::vector<Letter> TakeAll() {
    absl::MutexLock lock(&mutex_);
    return std::exchange(letters_, {});
  }

 private:
  Wakeup& wakeup_;
  absl::Mutex mutex_;
  std::vector<Letter> letters_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace stoker::forwarder
