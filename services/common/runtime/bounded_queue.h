#pragma once

#include <deque>
#include <optional>
#include <utility>

#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

namespace stoker::runtime {

// A queue between two threads that never grows past its capacity. A full queue refuses: the caller
// counts the drop under a name. Thread-safe.
template <typename T>
class BoundedQueue {
 public:
  explicit BoundedQueue(std::size_t capacity) : capacity_(capacity) {}

  // False when the queue is full or closed; `item` is then untouched.
  [[nodiscard]] bool TryPush(T&& item) {
    absl::MutexLock lock(&mutex_);
    if (closed_ || items_.size() >= capacity_) return false;
    items_.push_back(std::move(item));
    return true;
  }

  // Waits for an item until `timeout`. Nothing when none came, or when the queue is closed and
  // empty.
  [[nodiscard]] std::optional<T> Pop(absl::Duration timeout) {
    absl::MutexLock lock(&mutex_);
    const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return closed_ || !items_.empty();
    };
    mutex_.AwaitWithTimeout(absl::Condition(&ready), timeout);
    if (items_.empty()) return std::nullopt;
    T item = std::move(items_.front());
    items_.pop_front();
    return item;
  }

  // Refuses further items; those inside can still be popped.
  void Close() {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
  }

  [[nodiscard]] bool drained() const {
    absl::MutexLock lock(&mutex_);
    return closed_ && items_.empty();
  }
  [[nodiscard]] std::size_t size() const {
    absl::MutexLock lock(&mutex_);
    return items_.size();
  }

 private:
  const std::size_t capacity_;
  mutable absl::Mutex mutex_;
  std::deque<T> items_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace stoker::runtime
