#include "services/collector/ebpf/batch_queue.h"

#include <algorithm>
#include <utility>

#include "services/common/log/log.h"

namespace stoker::ebpf {
namespace {

// Of batches read back from disk, at a time.
constexpr std::uint64_t kRefillBytes = std::uint64_t{4} << 20;

std::uint64_t RunOf(const sample::v1::Hello* earlier_run) {
  return earlier_run == nullptr ? 0 : earlier_run->run_id();
}

}  // namespace

void BatchQueue::SpillTo(BatchSpool& spool) {
  absl::MutexLock lock(&mutex_);
  spool_ = &spool;
  // Until it turns out that earlier runs left nothing.
  spilling_ = true;
  while (!entries_.empty()) {
    const Entry entry = Remove(0);
    spool.Put(*entry.message, entry.samples);
  }
}

void BatchQueue::Push(Batch batch) {
  absl::MutexLock lock(&mutex_);
  batch.message.set_sequence(next_sequence_++);
  const std::uint64_t bytes = batch.message.ByteSizeLong();
  if (spool_ != nullptr && !entries_.empty() && bytes_ + bytes > max_bytes_) spilling_ = true;
  if (spilling_) return spool_->Put(batch.message, batch.samples);
  while (!entries_.empty() && bytes_ + bytes > max_bytes_) {
    events_.dropped("queue_full", Settle(0).samples);
  }
  Add({.message = std::make_shared<const sample::v1::RawStackBatch>(std::move(batch.message)),
       .samples = batch.samples,
       .bytes = bytes});
}

void BatchQueue::Add(Entry entry) {
  bytes_ += entry.bytes;
  if (!entry.spool_sequence) samples_ += entry.samples;
  entries_.push_back(std::move(entry));
}

void BatchQueue::Refill() {
  BatchSpool* spool = nullptr;
  BatchSpool::Puts before;
  {
    absl::MutexLock lock(&mutex_);
    if (!spilling_ || bytes_ >= kRefillBytes) return;
    spool = spool_;
    before = spool->puts();
  }
  auto taken = spool->Take(kRefillBytes);
  if (!taken.ok()) return log::Warn("the spool cannot be read", {{"error", taken.status()}});
  absl::MutexLock lock(&mutex_);
  for (BatchSpool::Taken& one : *taken) {
    const SpooledBatch& record = *one.record;
    const bool ours = spool->IsThisRun(record);
    Add({.message = {one.record, &record.batch()},
         .samples = one.samples,
         .bytes = one.bytes,
         .spool_sequence = one.sequence,
         .earlier_run =
             ours ? nullptr
                  : std::shared_ptr<const sample::v1::Hello>(one.record, &record.hello())});
  }
  const bool drained = taken->empty() && before.under_way == 0 && spool->puts() == before;
  if (drained) spilling_ = false;
}

std::shared_ptr<const sample::v1::Hello> BatchQueue::EarlierRun() {
  Refill();
  absl::MutexLock lock(&mutex_);
  return entries_.empty() ? nullptr : entries_.front().earlier_run;
}

bool BatchQueue::IsNext(const sample::v1::Hello* earlier_run) const {
  absl::MutexLock lock(&mutex_);
  const auto* next = entries_.empty() ? nullptr : entries_.front().earlier_run.get();
  return RunOf(next) == RunOf(earlier_run);
}

bool BatchQueue::HasNext(const sample::v1::Hello* earlier_run) const {
  return sent_ < entries_.size() && RunOf(entries_[sent_].earlier_run.get()) == RunOf(earlier_run);
}

std::optional<std::shared_ptr<const sample::v1::RawStackBatch>> BatchQueue::Next(
    absl::Duration timeout, const sample::v1::Hello* earlier_run) {
  Refill();
  absl::MutexLock lock(&mutex_);
  const auto ready = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return closed_ || HasNext(earlier_run);
  };
  mutex_.AwaitWithTimeout(absl::Condition(&ready), timeout);
  if (!HasNext(earlier_run)) return std::nullopt;
  return entries_[sent_++].message;
}

std::uint64_t BatchQueue::Rewind() {
  absl::MutexLock lock(&mutex_);
  sent_ = 0;
  return samples_settled_ + (spool_ == nullptr ? 0 : spool_->samples_dropped());
}

bool BatchQueue::AwaitAnswers(absl::Duration timeout) {
  absl::MutexLock lock(&mutex_);
  const auto none = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return sent_ == 0; };
  return mutex_.AwaitWithTimeout(absl::Condition(&none), timeout);
}

void BatchQueue::Apply(const sample::v1::PushResponse& response,
                       const sample::v1::Hello* earlier_run) {
  absl::MutexLock lock(&mutex_);
  for (const std::uint64_t sequence : response.acknowledged()) {
    const auto entry = Settle(sequence, earlier_run);
    if (!entry) continue;
    if (earlier_run == nullptr && events_.durable) events_.durable(*entry->message);
    if (entry->spool_sequence) {
      spool_->Done(*entry->spool_sequence);
    } else {
      events_.acknowledged(entry->samples);
    }
  }
  for (const sample::v1::Rejected& rejected : response.rejected()) {
    const auto entry = Settle(rejected.sequence(), earlier_run);
    if (!entry) continue;
    if (entry->spool_sequence) {
      spool_->Lost(*entry->spool_sequence, rejected.reason());
    } else {
      events_.dropped(rejected.reason(), entry->samples);
    }
  }
  for (const sample::v1::Delivered& delivered : response.delivered()) {
    events_.delivered(delivered);
  }
}

bool BatchQueue::Spill() {
  absl::MutexLock lock(&mutex_);
  if (spool_ == nullptr) return false;
  // What is on disk already is younger than what is in memory, and keeps its place behind it.
  if (std::exchange(spilling_, true)) return true;
  for (std::size_t i = 0; i < entries_.size();) {
    if (entries_[i].spool_sequence) {
      ++i;
    } else {
      const Entry entry = Remove(i);
      spool_->Put(*entry.message, entry.samples);
    }
  }
  return true;
}

void BatchQueue::Close() {
  absl::MutexLock lock(&mutex_);
  closed_ = true;
}

bool BatchQueue::AwaitEmpty(absl::Duration timeout) {
  absl::MutexLock lock(&mutex_);
  const auto empty = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return entries_.empty() && !spilling_;
  };
  return mutex_.AwaitWithTimeout(absl::Condition(&empty), timeout);
}

void BatchQueue::DropAll(std::string_view reason) {
  absl::MutexLock lock(&mutex_);
  while (!entries_.empty()) {
    const Entry entry = Settle(0);
    if (!entry.spool_sequence) events_.dropped(reason, entry.samples);
  }
}

void BatchQueue::Audit(const std::function<void(std::uint64_t samples)>& audit) const {
  absl::MutexLock lock(&mutex_);
  if (spool_ == nullptr) return audit(samples_);
  spool_->Audit([&](std::uint64_t spooled) { audit(samples_ + spooled); });
}

std::size_t BatchQueue::size() const {
  absl::MutexLock lock(&mutex_);
  return entries_.size();
}

std::uint64_t BatchQueue::bytes() const {
  absl::MutexLock lock(&mutex_);
  return bytes_;
}

std::uint64_t BatchQueue::spooled_bytes() const {
  absl::MutexLock lock(&mutex_);
  return spool_ == nullptr ? 0 : spool_->bytes();
}

BatchQueue::Entry BatchQueue::Remove(std::size_t index) {
  if (index < sent_) --sent_;
  Entry entry = std::move(entries_[index]);
  entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(index));
  bytes_ -= entry.bytes;
  if (!entry.spool_sequence) samples_ -= entry.samples;
  return entry;
}

BatchQueue::Entry BatchQueue::Settle(std::size_t index) {
  Entry entry = Remove(index);
  if (entry.earlier_run != nullptr) return entry;
  samples_settled_ += entry.samples;
  // Those that the batch only tells the loss of.
  for (const sample::v1::Dropped& dropped : entry.message->dropped()) {
    samples_settled_ += dropped.samples();
  }
  return entry;
}

std::optional<BatchQueue::Entry> BatchQueue::Settle(std::uint64_t sequence,
                                                    const sample::v1::Hello* earlier_run) {
  // Answers come in about the order of the batches.
  const auto found = std::ranges::find_if(entries_, [&](const Entry& entry) {
    return entry.message->sequence() == sequence &&
           RunOf(entry.earlier_run.get()) == RunOf(earlier_run);
  });
  if (found == entries_.end()) return std::nullopt;
  return Settle(static_cast<std::size_t>(found - entries_.begin()));
}

}  // namespace stoker::ebpf
