#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include "proto/sample/v1/sample_service.pb.h"
#include "services/collector/ebpf/batch_builder.h"
#include "services/collector/ebpf/batch_spool.h"

namespace stoker::ebpf {

// The batches of one component that the symbolizer has not acknowledged, oldest first: in memory,
// and once they are too many or the symbolizer stays away, behind those on disk. Without a spool
// the oldest goes when another does not fit. Thread-safe.
class BatchQueue {
 public:
  // What becomes of samples in memory; called with the queue's lock held.
  struct Events {
    std::function<void(std::uint64_t samples)> acknowledged;
    std::function<void(std::string_view reason, std::uint64_t samples)> dropped;
    std::function<void(const sample::v1::Delivered&)> delivered;
    // The symbolizer has said that a batch of this run is durable. May be empty.
    std::function<void(const sample::v1::RawStackBatch&)> durable = {};
  };

  // `max_bytes` bounds the batches in memory.
  BatchQueue(std::uint64_t max_bytes, Events events)
      : max_bytes_(max_bytes), events_(std::move(events)) {}

  // Before the first Next. What earlier runs left there comes first, then what was pushed already.
  // Borrows the spool.
  void SpillTo(BatchSpool& spool);

  // Numbers the batch and takes it.
  void Push(Batch batch);

  // Whose batches are next: the hello of an earlier run, or null: this run's.
  [[nodiscard]] std::shared_ptr<const sample::v1::Hello> EarlierRun();
  // Whether that run (null: this one) is the one whose batches are next.
  [[nodiscard]] bool IsNext(const sample::v1::Hello* earlier_run) const;
  // The next batch of that run that this stream has not sent. Waits up to `timeout`.
  std::optional<std::shared_ptr<const sample::v1::RawStackBatch>> Next(
      absl::Duration timeout, const sample::v1::Hello* earlier_run = nullptr);

  // A new stream: what is here is sent again. Returns the samples that no stream will bring any
  // more (Hello.samples_settled).
  std::uint64_t Rewind();

  // Waits until there is an answer for all that this stream has sent. False at the deadline.
  bool AwaitAnswers(absl::Duration timeout);

  void Apply(const sample::v1::PushResponse& response,
             const sample::v1::Hello* earlier_run = nullptr);

  // The symbolizer stays away: what is in memory goes to disk, where it outlives this process, and
  // what follows behind it. False: there is no spool.
  bool Spill();

  // Ends waiting calls of Next, now and later.
  void Close();

  // Waits until nothing is unacknowledged. False at the deadline.
  bool AwaitEmpty(absl::Duration timeout);

  // Drops all that is in memory only, for `reason`.
  void DropAll(std::string_view reason);

  // Calls `audit` with the samples held, on disk too, while no event can happen.
  void Audit(const std::function<void(std::uint64_t samples)>& audit) const;
  // In memory.
  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] std::uint64_t bytes() const;
  // On disk.
  [[nodiscard]] std::uint64_t spooled_bytes() const;

 private:
  struct Entry {
    std::shared_ptr<const sample::v1::RawStackBatch> message;
    std::uint64_t samples = 0;
    std::uint64_t bytes = 0;
    // Of a batch that came back from disk, and stays there until it is acknowledged.
    std::optional<std::uint64_t> spool_sequence = {};
    // Null: this run's.
    std::shared_ptr<const sample::v1::Hello> earlier_run = nullptr;
  };
  // Reads batches back from disk until there is enough to send.
  void Refill();
  // Whether the next batch that was not sent is of that run (null: this one).
  [[nodiscard]] bool HasNext(const sample::v1::Hello* earlier_run) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Add(Entry entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The entry at `index`, removed; Settle: for good.
  Entry Remove(std::size_t index) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Entry Settle(std::size_t index) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Of a batch of that run, which is answered for; nothing where there is none.
  std::optional<Entry> Settle(std::uint64_t sequence, const sample::v1::Hello* earlier_run)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::uint64_t max_bytes_;
  const Events events_;
  mutable absl::Mutex mutex_;
  BatchSpool* spool_ ABSL_GUARDED_BY(mutex_) = nullptr;
  // New batches go behind those on disk.
  bool spilling_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<Entry> entries_ ABSL_GUARDED_BY(mutex_);
  // How many of the first have been sent on this stream.
  std::size_t sent_ ABSL_GUARDED_BY(mutex_) = 0;
  std::uint64_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  // In memory only.
  std::uint64_t samples_ ABSL_GUARDED_BY(mutex_) = 0;
  // Of batches of this run that are gone.
  std::uint64_t samples_settled_ ABSL_GUARDED_BY(mutex_) = 0;
  std::uint64_t next_sequence_ ABSL_GUARDED_BY(mutex_) = 1;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace stoker::ebpf
