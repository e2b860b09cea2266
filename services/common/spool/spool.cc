#include "services/common/spool/spool.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "services/common/base/status.h"
#include "services/common/log/log.h"
#include "services/common/spool/recovery.h"

namespace stoker::spool {
namespace {

// Losses that are remembered by record; past it a record that only some lost counts as completed.
constexpr std::size_t kMaxLost = 65'536;
constexpr std::size_t kHeadersBytes = 4 << 10;

Options Bounded(Options options) {
  options.segment_bytes =
      std::max<std::uint64_t>(std::min(options.segment_bytes, options.max_bytes / 8), 1);
  return options;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Spool>> Spool::Open(Options options,
                                                   const std::vector<std::string>& consumers,
                                                   Env& env, Clock& clock, Metrics metrics,
                                                   Events events) {
  STOKER_RETURN_IF_ERROR(env.MakeFolder(options.folder));
  std::unique_ptr<Spool> spool(
      new Spool(Bounded(std::move(options)), env, clock, metrics, std::move(events)));
  STOKER_RETURN_IF_ERROR(spool->Start(consumers));
  return spool;
}

Spool::Spool(Options options, Env& env, Clock& clock, Metrics metrics, Events events)
    : options_(std::move(options)),
      env_(env),
      clock_(clock),
      metrics_(metrics),
      events_(std::move(events)),
      wall_start_(clock.Now()),
      monotonic_start_(clock.Monotonic()),
      quarantine_(env, options_.folder),
      ack_log_(env, options_.folder) {}

Spool::~Spool() {
  if (lock_ == nullptr) return;
  Commit();
  Seal();
  RemoveFinished();
  Unlink();
}

absl::Status Spool::Start(const std::vector<std::string>& consumers) {
  STOKER_ASSIGN_OR_RETURN(lock_, env_.Lock(options_.folder + "/lock"));
  {
    absl::MutexLock lock(&mutex_);
    Cursors cursors = AckLog::Load(env_, options_.folder);
    // Without a cursor of an earlier life everything on disk is still to be read.
    if (cursors.empty()) {
      for (const std::string& name : consumers) cursors[name] = 0;
    }
    for (const auto& [name, cursor] : cursors) {
      consumers_.emplace(name, std::make_shared<Consumer>(name, cursor));
      last_sequence_ = std::max(last_sequence_, cursor);
    }
    Recovered recovered = Recover(env_, options_.folder, LowestCursor(), quarantine_, metrics_);
    next_sequence_ = std::max(recovered.next_sequence, last_sequence_ + 1);
    last_sequence_ = next_sequence_ - 1;
    for (Segment& segment : recovered.segments) {
      samples_ += segment.open_samples;
      segments_.emplace(segment.number, std::move(segment));
    }
    if (events_.appended && samples_ > 0) events_.appended(samples_);
  }
  SetConsumers(consumers);
  MakeReserve();
  Commit();
  return absl::OkStatus();
}

void Spool::Append(std::string payload, std::uint64_t samples,
                   std::function<void(absl::Status)> done) {
  absl::Status refusal;
  {
    absl::MutexLock lock(&mutex_);
    if (payload.size() > options_.max_record_bytes) {
      refusal = InvalidArgument("a record of {} bytes is over the spool's limit of {}",
                                payload.size(), options_.max_record_bytes);
    } else if (full_) {
      refusal = ResourceExhausted("no space left in {}", options_.folder);
    } else if (pending_bytes_ > 0 && pending_bytes_ + payload.size() > options_.max_pending_bytes) {
      refusal = ResourceExhausted("the disk of {} is too slow", options_.folder);
    } else {
      pending_bytes_ += payload.size();
      pending_.push_back({std::move(payload), samples, std::move(done)});
      return;
    }
  }
  done(refusal);
}

void Spool::AwaitPending(absl::Duration timeout) {
  absl::MutexLock lock(&mutex_);
  const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return !pending_.empty() || cursors_moved_;
  };
  mutex_.AwaitWithTimeout(absl::Condition(&ready), timeout);
}

void Spool::Wake() {
  absl::MutexLock lock(&mutex_);
  cursors_moved_ = true;
}

void Spool::Done(const std::string& consumer, std::uint64_t sequence) {
  Finish(consumer, sequence, "");
}

void Spool::Lost(const std::string& consumer, std::uint64_t sequence, std::string_view reason) {
  Finish(consumer, sequence, reason);
}

void Spool::Finish(const std::string& name, std::uint64_t sequence, std::string_view lost_reason) {
  absl::MutexLock lock(&mutex_);
  const auto found = consumers_.find(name);
  if (found == consumers_.end()) return;
  Consumer& consumer = *found->second;
  if (!lost_reason.empty() && consumer.Holds(sequence) && lost_.size() < kMaxLost) {
    lost_.emplace(sequence, lost_reason);
  }
  const std::uint64_t lowest = LowestOther(consumer);
  for (const Consumer::Item& item : consumer.Done(sequence)) {
    cursors_moved_ = true;
    if (item.sequence <= lowest) Close(item);
  }
}

void Spool::Close(const Consumer::Item& item) {
  const auto segment = segments_.find(item.segment);
  if (segment == segments_.end()) return;
  segment->second.open_samples -= item.samples;
  const auto lost = lost_.find(item.sequence);
  if (lost != lost_.end()) {
    Drop(lost->second, item.samples);
    lost_.erase(lost);
    return;
  }
  samples_ -= item.samples;
  if (events_.completed) events_.completed(item.samples);
}

void Spool::Drop(std::string_view reason, std::uint64_t samples) {
  samples_ -= samples;
  if (events_.dropped && samples > 0) events_.dropped(reason, samples);
}

void Spool::SetConsumers(const std::vector<std::string>& names) {
  absl::MutexLock lock(&mutex_);
  const std::uint64_t before = LowestCursor();
  std::map<std::string, std::shared_ptr<Consumer>> next;
  for (const std::string& name : names) {
    const auto old = consumers_.find(name);
    next[name] = old == consumers_.end() ? std::make_shared<Consumer>(name, before) : old->second;
  }
  consumers_ = std::move(next);
  DropRange(before, LowestCursor());
  cursors_moved_ = true;
}

void Spool::DropRange(std::uint64_t from, std::uint64_t to) {
  for (auto& [number, segment] : segments_) {
    if (number > to || segment.last_sequence <= from) continue;
    std::uint64_t lost = segment.last_sequence <= to ? segment.open_samples : 0;
    SegmentReader reader(segment.file, number, kHeadersBytes);
    while (segment.last_sequence > to) {
      const auto step = reader.Next(segment.data_end, std::numeric_limits<std::uint64_t>::max());
      if (!step.ok() || step->kind == SegmentReader::Step::Kind::kEnd) break;
      if (step->kind != SegmentReader::Step::Kind::kRecord || step->header.sequence <= from) {
        continue;
      }
      if (step->header.sequence > to) break;
      lost += step->header.samples;
    }
    lost = std::min(lost, segment.open_samples);
    segment.open_samples -= lost;
    Drop("consumer_removed", lost);
  }
}

std::uint64_t Spool::LowestCursor() const {
  std::uint64_t lowest = last_sequence_;
  for (const auto& [name, consumer] : consumers_) lowest = std::min(lowest, consumer->cursor());
  return lowest;
}

std::uint64_t Spool::LowestOther(const Consumer& except) const {
  std::uint64_t lowest = std::numeric_limits<std::uint64_t>::max();
  for (const auto& [name, consumer] : consumers_) {
    if (consumer.get() != &except) lowest = std::min(lowest, consumer->cursor());
  }
  return lowest;
}

std::uint64_t Spool::TotalBytes() const {
  std::uint64_t bytes = 0;
  for (const auto& [number, segment] : segments_) bytes += segment.data_end;
  return bytes;
}

Spool::State Spool::state() const {
  absl::MutexLock lock(&mutex_);
  State state{.bytes = TotalBytes(),
              .segments = segments_.size(),
              .samples = samples_,
              .last_sequence = last_sequence_,
              .full = full_};
  for (const auto& [name, consumer] : consumers_) {
    ConsumerState& each = state.consumers.emplace_back();
    each.name = name;
    each.cursor = consumer->cursor();
    each.open = consumer->open();
    for (const auto& [number, segment] : segments_) {
      if (segment.last_sequence > each.cursor) each.backlog_bytes += segment.data_end;
    }
  }
  return state;
}

void Spool::Audit(const std::function<void(std::uint64_t samples)>& audit) const {
  absl::MutexLock lock(&mutex_);
  audit(samples_);
}

}  // namespace stoker::spool
