#include "services/common/spool/segment_writer.h"

#include <utility>

#include "services/common/base/status.h"

namespace stoker::spool {
namespace {

constexpr std::size_t kWriteBytes = 1 << 20;

}  // namespace

absl::StatusOr<std::unique_ptr<SegmentWriter>> SegmentWriter::Create(Env& env,
                                                                     const std::string& folder,
                                                                     std::uint64_t number) {
  const std::string path = folder + "/" + SegmentName(number);
  STOKER_ASSIGN_OR_RETURN(std::shared_ptr<File> file, env.Create(path));
  absl::Status status = file->Append(EncodeSegmentHeader({.number = number}));
  if (status.ok()) status = env.SyncFolder(folder);
  if (!status.ok()) {
    // A file that stays is empty and goes at the next start.
    (void)env.Unlink(path);
    return status;
  }
  return std::unique_ptr<SegmentWriter>(new SegmentWriter(std::move(file), path, number));
}

SegmentWriter::SegmentWriter(std::shared_ptr<File> file, std::string path, std::uint64_t number)
    : file_(std::move(file)),
      path_(std::move(path)),
      number_(number),
      totals_{.data_end = kSegmentHeaderBytes} {}

void SegmentWriter::Add(const RecordHeader& header, std::string_view payload) {
  EncodeRecord(number_, totals_.data_end, header, payload, buffer_);
  totals_.data_end += kRecordHeaderBytes + payload.size();
  totals_.samples += header.samples;
  totals_.last_sequence = header.sequence;
  totals_.time_ns = header.time_ns;
  ++totals_.records;
  if (buffer_.size() >= kWriteBytes) Write();
}

absl::Status SegmentWriter::Commit(bool sync) {
  Write();
  if (status_.ok() && sync) status_ = file_->Sync();
  return status_;
}

absl::Status SegmentWriter::Seal() {
  buffer_ = EncodeFooter(number_, totals_);
  return Commit(false);
}

void SegmentWriter::Write() {
  if (status_.ok()) status_ = file_->Append(buffer_);
  buffer_.clear();
}

}  // namespace stoker::spool
