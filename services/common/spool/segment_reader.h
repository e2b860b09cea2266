#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "services/common/base/env.h"
#include "services/common/spool/format.h"

namespace stoker::spool {

// Walks the records of one segment, past damage to the next sound record. One thread.
class SegmentReader {
 public:
  // `read_ahead` is the least that is read at once, in bytes.
  SegmentReader(std::shared_ptr<File> file, std::uint64_t number, std::size_t read_ahead);

  struct Step {
    // kDamage: bytes that are no sound record. kEnd: nothing more below the limit.
    enum class Kind { kRecord, kDamage, kEnd };
    Kind kind = Kind::kEnd;
    // The range in the file.
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    // Of a record.
    RecordHeader header;
    // Of a record whose sequence is above `after`; valid until the next call.
    std::string_view payload;
  };

  // The next step below `limit` bytes. Payloads of sequences up to `after` are stepped over,
  // neither read nor checked. An error is the disk's; the same call may be tried again.
  absl::StatusOr<Step> Next(std::uint64_t limit, std::uint64_t after);

  [[nodiscard]] std::uint64_t number() const { return number_; }
  [[nodiscard]] std::uint64_t offset() const { return offset_; }

  // Gives up on what lies before `offset`.
  void SkipTo(std::uint64_t offset) { offset_ = offset; }

 private:
  // Bytes at `offset`, fewer than `size` where file or limit end.
  absl::StatusOr<std::string_view> View(std::uint64_t offset, std::size_t size,
                                        std::uint64_t limit);
  absl::StatusOr<std::uint64_t> FindRecord(std::uint64_t offset, std::uint64_t limit);
  Step Take(Step::Kind kind, std::uint64_t end);

  const std::shared_ptr<File> file_;
  const std::uint64_t number_;
  const std::size_t read_ahead_;
  std::uint64_t offset_ = kSegmentHeaderBytes;

  std::string buffer_;
  std::uint64_t buffer_offset_ = 0;
};

}  // namespace stoker::spool
