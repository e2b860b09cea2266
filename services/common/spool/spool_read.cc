// The reading half of Spool, on the threads of its consumers.

#include <algorithm>
#include <utility>

#include "services/common/base/status.h"
#include "services/common/log/log.h"
#include "services/common/spool/spool.h"

namespace stoker::spool {
namespace {

constexpr std::size_t kReadAheadBytes = 256 << 10;
constexpr int kReadAttempts = 8;
constexpr std::uint64_t kUnreadableBytes = 1 << 20;

}  // namespace

// One call of Read.
struct Spool::Reading {
  // The segment being read.
  std::shared_ptr<File> file;
  std::uint64_t number = 0;
  std::uint64_t limit = 0;
  // Everything below this segment has been read.
  std::uint64_t below = 0;
  std::vector<Consumer::Item> items;
  std::vector<Record> records;
  std::size_t bytes = 0;
};

absl::StatusOr<std::vector<Spool::Record>> Spool::Read(const std::string& name,
                                                       std::size_t max_records,
                                                       std::size_t max_bytes) {
  std::shared_ptr<Consumer> consumer;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = consumers_.find(name);
    if (found == consumers_.end()) return std::vector<Record>();
    consumer = found->second;
  }
  Reading reading;
  absl::Status status;
  while (status.ok() && reading.records.size() < max_records && reading.bytes < max_bytes &&
         HasMore(*consumer, reading)) {
    status = ReadOne(*consumer, reading);
  }
  HandOut(*consumer, reading);
  if (!status.ok() && reading.records.empty()) return status;
  return std::move(reading.records);
}

// Whether the consumer's reader has bytes to go on with, in its segment or the next.
bool Spool::HasMore(Consumer& consumer, Reading& reading) {
  if (consumer.reader != nullptr && consumer.reader->offset() < reading.limit) return true;
  absl::MutexLock lock(&mutex_);
  while (OpenSegment(consumer, reading)) {
    if (consumer.reader->offset() < reading.limit) return true;
    const Segment& segment = segments_.at(consumer.reader->number());
    if (!segment.sealed) return false;
    reading.below = segment.number + 1;
  }
  return false;
}

// Finds the segment to read: the reader's while it is not finished, else the next.
bool Spool::OpenSegment(Consumer& consumer, Reading& reading) {
  const auto next = segments_.lower_bound(std::max(consumer.segment(), reading.below));
  if (next == segments_.end()) return false;
  const Segment& segment = next->second;
  if (consumer.reader == nullptr || consumer.reader->number() != segment.number) {
    consumer.reader =
        std::make_unique<SegmentReader>(segment.file, segment.number, kReadAheadBytes);
    consumer.failures = 0;
  }
  reading.file = segment.file;
  reading.number = segment.number;
  reading.limit = segment.data_end;
  return true;
}

absl::Status Spool::ReadOne(Consumer& consumer, Reading& reading) {
  SegmentReader& reader = *consumer.reader;
  auto step = reader.Next(reading.limit, consumer.start());
  if (!step.ok()) {
    if (++consumer.failures < kReadAttempts) return step.status();
    const std::uint64_t end = std::min(reader.offset() + kUnreadableBytes, reading.limit);
    log::Error(
        "spool file unreadable",
        {{"folder", options_.folder}, {"offset", reader.offset()}, {"error", step.status()}});
    metrics_.damaged_bytes.Increment(static_cast<double>(end - reader.offset()));
    reader.SkipTo(end);
    consumer.failures = 0;
    return absl::OkStatus();
  }
  consumer.failures = 0;
  if (step->kind == SegmentReader::Step::Kind::kDamage) {
    KeepDamage(reading, step->begin, step->end);
    return absl::OkStatus();
  }
  const RecordHeader& header = step->header;
  if (step->kind == SegmentReader::Step::Kind::kEnd || header.sequence <= consumer.start()) {
    return absl::OkStatus();
  }
  reading.bytes += step->payload.size();
  reading.items.push_back(
      {.sequence = header.sequence, .samples = header.samples, .segment = reader.number()});
  reading.records.push_back({.sequence = header.sequence,
                             .time = absl::FromUnixNanos(header.time_ns),
                             .samples = header.samples,
                             .payload = std::string(step->payload)});
  return absl::OkStatus();
}

void Spool::KeepDamage(Reading& reading, std::uint64_t begin, std::uint64_t end) {
  if (!quarantine_.Copy(*reading.file, reading.number, begin, end)) return;
  metrics_.damaged_bytes.Increment(static_cast<double>(end - begin));
  log::Error("damage in spool", {{"folder", options_.folder},
                                 {"segment", reading.number},
                                 {"offset", begin},
                                 {"bytes", end - begin}});
}

// Enters what was read into the consumer's window, but for segments that went meanwhile.
void Spool::HandOut(Consumer& consumer, Reading& reading) {
  absl::MutexLock lock(&mutex_);
  std::erase_if(reading.items, [this](const Consumer::Item& item) ABSL_EXCLUSIVE_LOCKS_REQUIRED(
                                   mutex_) { return !segments_.contains(item.segment); });
  consumer.HandOut(reading.items, reading.below);
}

}  // namespace stoker::spool
