#include "services/common/spool/recovery.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "services/common/base/status.h"
#include "services/common/log/log.h"
#include "services/common/spool/segment_reader.h"

namespace stoker::spool {
namespace {

constexpr std::uint64_t kNone = std::numeric_limits<std::uint64_t>::max();
constexpr std::size_t kVerifyBytes = 1 << 20;
constexpr std::size_t kHeadersBytes = 4 << 10;

// Walks one segment file. What it finds goes to `segment`.
class SegmentRecovery {
 public:
  SegmentRecovery(Segment& segment, std::uint64_t size, Metrics& metrics)
      : segment_(segment), size_(size), metrics_(metrics) {}

  // False where there is no sound footer.
  absl::StatusOr<bool> ReadFooter() {
    if (size_ < kSegmentHeaderBytes + kFooterBytes) return false;
    std::string bytes(kFooterBytes, '\0');
    STOKER_RETURN_IF_ERROR(
        segment_.file->Read(size_ - kFooterBytes, kFooterBytes, bytes.data()).status());
    const auto footer = DecodeFooter(segment_.number, bytes);
    if (!footer || footer->data_end > size_ - kFooterBytes) return false;
    segment_.data_end = footer->data_end;
    segment_.last_sequence = footer->last_sequence;
    segment_.time_ns = footer->time_ns;
    segment_.open_samples = footer->samples;
    return true;
  }

  // Finds and checks every record.
  absl::Status ReadRecords() {
    SegmentReader reader(segment_.file, segment_.number, kVerifyBytes);
    while (true) {
      STOKER_ASSIGN_OR_RETURN(const SegmentReader::Step step, reader.Next(size_, 0));
      if (step.kind == SegmentReader::Step::Kind::kEnd) break;
      if (step.kind == SegmentReader::Step::Kind::kRecord) Take(step);
      // Damage before a sound record is found again, and kept, by whoever reads the segment.
    }
    metrics_.torn_bytes.Increment(static_cast<double>(size_ - std::min(size_, segment_.data_end)));
    return absl::OkStatus();
  }

  // The samples of records above `done`.
  absl::Status CountOpen(std::uint64_t done) {
    SegmentReader reader(segment_.file, segment_.number, kHeadersBytes);
    std::uint64_t closed = 0;
    while (true) {
      STOKER_ASSIGN_OR_RETURN(const SegmentReader::Step step,
                              reader.Next(segment_.data_end, kNone));
      if (step.kind == SegmentReader::Step::Kind::kEnd) break;
      if (step.kind != SegmentReader::Step::Kind::kRecord) continue;
      if (step.header.sequence > done) break;
      closed += step.header.samples;
    }
    segment_.open_samples -= std::min(segment_.open_samples, closed);
    return absl::OkStatus();
  }

 private:
  void Take(const SegmentReader::Step& step) {
    segment_.data_end = step.end;
    segment_.last_sequence = std::max(segment_.last_sequence, step.header.sequence);
    segment_.time_ns = std::max(segment_.time_ns, step.header.time_ns);
    segment_.open_samples += step.header.samples;
  }

  Segment& segment_;
  const std::uint64_t size_;
  Metrics& metrics_;
};

// The segment; one without records has last_sequence 0.
absl::StatusOr<Segment> RecoverSegment(Env& env, Segment segment, std::uint64_t done,
                                       Metrics& metrics) {
  STOKER_ASSIGN_OR_RETURN(segment.file, env.OpenForRead(segment.path));
  STOKER_ASSIGN_OR_RETURN(const std::uint64_t size, segment.file->Size());
  std::string head(kSegmentHeaderBytes, '\0');
  STOKER_RETURN_IF_ERROR(segment.file->Read(0, head.size(), head.data()).status());
  const auto header = DecodeSegmentHeader(head);
  if (header && header->version != kVersion) {
    return FailedPrecondition("version {} is unknown to this build", header->version);
  }
  SegmentRecovery recovery(segment, size, metrics);
  STOKER_ASSIGN_OR_RETURN(const bool footer, recovery.ReadFooter());
  if (!footer) STOKER_RETURN_IF_ERROR(recovery.ReadRecords());
  if (segment.number <= done && done < segment.last_sequence) {
    STOKER_RETURN_IF_ERROR(recovery.CountOpen(done));
  }
  segment.sealed = true;
  return segment;
}

void RemoveEmpty(Env& env, const Segment& segment, const std::string& name,
                 Quarantine& quarantine) {
  const auto size = segment.file->Size();
  const bool nothing = size.ok() && *size <= kSegmentHeaderBytes;
  const absl::Status status =
      nothing ? env.Unlink(segment.path) : quarantine.Move(segment.path, name);
  if (!status.ok()) log::Warn("empty segment stays", {{"file", segment.path}, {"error", status}});
}

}  // namespace

Recovered Recover(Env& env, const std::string& folder, std::uint64_t done, Quarantine& quarantine,
                  Metrics& metrics) {
  Recovered recovered{.next_sequence = done + 1};
  const auto names = env.List(folder);
  if (!names.ok()) {
    log::Error("spool folder unreadable", {{"folder", folder}, {"error", names.status()}});
    return recovered;
  }
  for (const std::string& name : *names) {
    const auto number = ParseSegmentName(name);
    if (!number) continue;
    recovered.next_sequence = std::max(recovered.next_sequence, *number + 1);
    auto segment =
        RecoverSegment(env, {.number = *number, .path = folder + "/" + name}, done, metrics);
    if (!segment.ok()) {
      log::Error("segment left alone", {{"file", name}, {"error", segment.status()}});
      continue;
    }
    if (segment->last_sequence == 0) {
      RemoveEmpty(env, *segment, name, quarantine);
      continue;
    }
    recovered.next_sequence = std::max(recovered.next_sequence, segment->last_sequence + 1);
    recovered.segments.push_back(*std::move(segment));
  }
  return recovered;
}

}  // namespace stoker::spool
