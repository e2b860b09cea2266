#include "services/common/spool/segment_reader.h"

#include <algorithm>
#include <utility>

#include "services/common/base/status.h"

namespace stoker::spool {
namespace {

constexpr std::size_t kScanBytes = 64 << 10;

}  // namespace

SegmentReader::SegmentReader(std::shared_ptr<File> file, std::uint64_t number,
                             std::size_t read_ahead)
    : file_(std::move(file)), number_(number), read_ahead_(read_ahead) {}

absl::StatusOr<SegmentReader::Step> SegmentReader::Next(std::uint64_t limit, std::uint64_t after) {
  if (offset_ >= limit) return Step{.begin = offset_, .end = offset_};
  STOKER_ASSIGN_OR_RETURN(const std::string_view head, View(offset_, kRecordHeaderBytes, limit));
  const auto header = DecodeRecordHeader(number_, offset_, head);
  const std::uint64_t payload_at = offset_ + kRecordHeaderBytes;
  if (!header || payload_at + header->payload_bytes > limit) {
    STOKER_ASSIGN_OR_RETURN(const std::uint64_t next, FindRecord(offset_ + 1, limit));
    return Take(Step::Kind::kDamage, next);
  }
  const std::uint64_t end = payload_at + header->payload_bytes;
  std::string_view payload;
  if (header->sequence > after) {
    STOKER_ASSIGN_OR_RETURN(payload, View(payload_at, header->payload_bytes, limit));
    if (!PayloadIsSound(*header, payload)) return Take(Step::Kind::kDamage, end);
  }
  Step step = Take(Step::Kind::kRecord, end);
  step.header = *header;
  step.payload = payload;
  return step;
}

SegmentReader::Step SegmentReader::Take(Step::Kind kind, std::uint64_t end) {
  return {.kind = kind, .begin = std::exchange(offset_, end), .end = end};
}

absl::StatusOr<std::string_view> SegmentReader::View(std::uint64_t offset, std::size_t size,
                                                     std::uint64_t limit) {
  size = std::min<std::uint64_t>(size, limit - std::min(offset, limit));
  const bool held = offset >= buffer_offset_ && offset + size <= buffer_offset_ + buffer_.size();
  if (!held) {
    const std::size_t want =
        std::min<std::uint64_t>(std::max(size, read_ahead_), limit - std::min(offset, limit));
    buffer_.resize(want);
    buffer_offset_ = offset;
    const auto got = file_->Read(offset, want, buffer_.data());
    buffer_.resize(got.ok() ? *got : 0);
    if (!got.ok()) return got.status();
  }
  return std::string_view(buffer_).substr(offset - buffer_offset_, size);
}

absl::StatusOr<std::uint64_t> SegmentReader::FindRecord(std::uint64_t offset, std::uint64_t limit) {
  while (offset + kRecordHeaderBytes <= limit) {
    STOKER_ASSIGN_OR_RETURN(const std::string_view bytes, View(offset, kScanBytes, limit));
    if (bytes.size() < kRecordHeaderBytes) return limit;
    const std::size_t found = FindRecordMagic(bytes);
    if (found == bytes.size()) {
      offset += bytes.size() - (sizeof(std::uint32_t) - 1);
      continue;
    }
    offset += found;
    STOKER_ASSIGN_OR_RETURN(const std::string_view head, View(offset, kRecordHeaderBytes, limit));
    if (DecodeRecordHeader(number_, offset, head)) return offset;
    ++offset;
  }
  return limit;
}

}  // namespace stoker::spool
