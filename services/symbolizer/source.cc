#include "services/symbolizer/source.h"

#include <algorithm>

namespace stoker::symbolizer {
namespace {

// An interval that grows past this is made into profiles in parts: a stream must never have to
// wait for itself.
constexpr std::uint64_t kMaxIntervalBytes = std::uint64_t{32} << 20;
// A collector sends again what it has no acknowledgement of: some intervals of some batches.
constexpr std::size_t kRememberedSequences = 65'536;

}  // namespace

Source::Admission Source::Admit(const wire::DecodedBatch& batch) {
  if (acknowledged_.contains(batch.sequence)) return Admission::kAcknowledged;
  return pending_.contains(batch.sequence) ? Admission::kPending : Admission::kNew;
}

std::vector<std::shared_ptr<Interval>> Source::Add(wire::DecodedBatch batch,
                                                   std::shared_ptr<FrameNames> names,
                                                   std::uint64_t bytes) {
  std::vector<std::shared_ptr<Interval>> completed;
  // The end of an interval may be lost with its collector's memory.
  const bool ends_other = open_ != nullptr && (open_->samples.start_ns != batch.interval_start_ns ||
                                               open_->bytes > kMaxIntervalBytes);
  if (ends_other) completed.push_back(Close());
  if (open_ == nullptr) open_ = Open(batch);
  open_->samples.last_sequence = batch.sequence;
  pending_.insert(batch.sequence);
  open_->sequences.push_back(batch.sequence);
  open_->held_samples += batch.sample_count;
  open_->bytes += bytes;
  samples_seen_ += batch.sample_count;
  for (const auto& dropped : batch.dropped) samples_seen_ += dropped.samples;
  const bool last = batch.last_of_interval;
  if (!batch.samples.empty()) {
    open_->samples.parts.push_back({std::move(names), std::move(batch.series),
                                    std::move(batch.samples), std::move(batch.label_sets)});
  }
  if (last) completed.push_back(Close());
  return completed;
}

std::shared_ptr<Interval> Source::Open(const wire::DecodedBatch& batch) {
  auto interval = std::make_shared<Interval>();
  interval->samples.start_ns = batch.interval_start_ns;
  interval->samples.end_ns = batch.interval_end_ns;
  interval->samples.first_sequence = batch.sequence;
  intervals_.push_back(interval);
  return interval;
}

std::shared_ptr<Interval> Source::Close() {
  if (open_ != nullptr) open_->state = Interval::State::kWaiting;
  return std::exchange(open_, nullptr);
}

bool Source::TakeResponse(sample::v1::PushResponse& response) {
  bool any = false;
  for (auto it = intervals_.begin(); it != intervals_.end();) {
    Interval& interval = **it;
    if (interval.state != Interval::State::kDone) {
      ++it;
      continue;
    }
    any = true;
    for (const std::uint64_t sequence : interval.sequences) {
      response.add_acknowledged(sequence);
      Remember(sequence);
    }
    for (sample::v1::Delivered& delivered : interval.delivered) {
      *response.add_delivered() = std::move(delivered);
    }
    it = intervals_.erase(it);
  }
  return any;
}

void Source::Remember(std::uint64_t sequence) {
  pending_.erase(sequence);
  if (!acknowledged_.insert(sequence).second) return;
  acknowledged_order_.push_back(sequence);
  if (acknowledged_order_.size() <= kRememberedSequences) return;
  acknowledged_.erase(acknowledged_order_.front());
  acknowledged_order_.pop_front();
}

void Source::Begin(std::uint64_t samples_settled) {
  samples_seen_ = std::max(samples_seen_, samples_settled);
  moved_ = false;
}

void Source::SetMoved() {
  samples_taken_ = std::min(samples_taken_, samples_seen_);
  moved_ = true;
}

void Source::SetSamplesTaken(std::uint64_t samples) {
  samples_taken_ = std::max(samples_taken_, samples);
}

std::uint64_t Source::TakeMissingSamples() {
  const std::uint64_t missing = samples_taken_ - std::min(samples_taken_, samples_seen_);
  samples_seen_ += missing;
  return missing;
}

}  // namespace stoker::symbolizer
