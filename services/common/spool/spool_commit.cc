// The committing thread's half of Spool.

#include <algorithm>
#include <utility>

#include "services/common/base/status.h"
#include "services/common/log/log.h"
#include "services/common/spool/spool.h"

namespace stoker::spool {
namespace {

constexpr char kReserve[] = "/reserve";
constexpr int kNameAttempts = 8;

}  // namespace

void Spool::Commit() {
  std::vector<Pending> batch = TakePending();
  std::uint64_t bytes = 0;
  for (const Pending& pending : batch) bytes += kRecordHeaderBytes + pending.payload.size();
  KeepLimits(bytes);
  const absl::Duration start = clock_.Monotonic();
  for (std::size_t first = 0; first < batch.size();) first = CommitSome(batch, first);
  WriteCursors();
  RemoveFinished();
  Unlink();
  CheckSpace();
  ExportSize();
  if (batch.empty()) return;
  metrics_.commit_seconds.Observe(absl::ToDoubleSeconds(clock_.Monotonic() - start));
  if (events_.readable) events_.readable();
}

std::vector<Spool::Pending> Spool::TakePending() {
  absl::MutexLock lock(&mutex_);
  cursors_moved_ = false;
  return std::exchange(pending_, {});
}

std::size_t Spool::CommitSome(std::vector<Pending>& batch, std::size_t first) {
  std::size_t end = first;
  absl::Status status = EnsureWriter();
  if (status.ok()) {
    const std::int64_t now = NowNs();
    do {
      const Pending& pending = batch[end++];
      writer_->Add({.sequence = next_sequence_++, .time_ns = now, .samples = pending.samples},
                   pending.payload);
    } while (end < batch.size() &&
             writer_->size() + batch[end].payload.size() + kRecordHeaderBytes <=
                 options_.segment_bytes);
    status = writer_->Commit(options_.sync);
  } else {
    end = batch.size();
  }
  if (status.ok()) {
    Publish();
    if (end < batch.size() || writer_->size() >= options_.segment_bytes) Seal();
  } else {
    Abandon(status);
  }
  Answer(batch, first, end, status);
  return end;
}

absl::Status Spool::EnsureWriter() {
  if (writer_ != nullptr) return absl::OkStatus();
  absl::StatusOr<std::unique_ptr<SegmentWriter>> writer;
  for (int i = 0; i < kNameAttempts; ++i) {
    writer = SegmentWriter::Create(env_, options_.folder, next_sequence_);
    // A file that could not be removed keeps its name.
    if (!absl::IsAlreadyExists(writer.status())) break;
    ++next_sequence_;
  }
  if (!writer.ok()) return writer.status();
  writer_ = *std::move(writer);
  published_samples_ = 0;
  absl::MutexLock lock(&mutex_);
  segments_.emplace(
      writer_->number(),
      Segment{.number = writer_->number(), .path = writer_->path(), .file = writer_->file()});
  return absl::OkStatus();
}

void Spool::Publish() {
  const Footer& totals = writer_->totals();
  const std::uint64_t samples = totals.samples - std::exchange(published_samples_, totals.samples);
  absl::MutexLock lock(&mutex_);
  Segment& segment = segments_.at(writer_->number());
  segment.data_end = totals.data_end;
  segment.last_sequence = totals.last_sequence;
  segment.time_ns = totals.time_ns;
  segment.open_samples += samples;
  samples_ += samples;
  last_sequence_ = totals.last_sequence;
  if (events_.appended) events_.appended(samples);
}

// What a failed write or sync left in the file is unknown, so nothing more goes there.
void Spool::Abandon(const absl::Status& status) {
  metrics_.failed_writes.Increment();
  const std::unique_ptr<SegmentWriter> writer = std::move(writer_);
  const bool no_space = absl::IsResourceExhausted(status);
  bool was_full = false;
  {
    absl::MutexLock lock(&mutex_);
    was_full = std::exchange(full_, full_ || no_space);
    if (writer != nullptr) {
      const auto segment = segments_.find(writer->number());
      segment->second.sealed = true;
      if (segment->second.last_sequence == 0) Erase(segment, "");
    }
  }
  if (!was_full) log::Error("spool write failed", {{"folder", options_.folder}, {"error", status}});
  if (no_space && !was_full) (void)env_.Unlink(options_.folder + kReserve);
}

void Spool::Seal() {
  if (writer_ == nullptr) return;
  if (!writer_->Seal().ok()) metrics_.failed_writes.Increment();
  absl::MutexLock lock(&mutex_);
  segments_.at(writer_->number()).sealed = true;
  writer_.reset();
}

void Spool::Answer(std::vector<Pending>& batch, std::size_t first, std::size_t end,
                   const absl::Status& status) {
  std::uint64_t bytes = 0;
  for (std::size_t i = first; i < end; ++i) bytes += batch[i].payload.size();
  if (status.ok()) metrics_.appended_bytes.Increment(static_cast<double>(bytes));
  {
    absl::MutexLock lock(&mutex_);
    pending_bytes_ -= bytes;
  }
  for (std::size_t i = first; i < end; ++i) batch[i].done(status);
}

void Spool::KeepLimits(std::uint64_t more_bytes) {
  for (std::string_view reason = OverLimit(more_bytes); !reason.empty();
       reason = OverLimit(more_bytes)) {
    DropOldest(reason);
  }
}

std::string_view Spool::OverLimit(std::uint64_t more_bytes) const {
  absl::MutexLock lock(&mutex_);
  if (segments_.empty()) return "";
  if (TotalBytes() + more_bytes > options_.max_bytes) return "spool_full";
  const std::int64_t newest = segments_.begin()->second.time_ns;
  const bool old = newest > 0 && newest + absl::ToInt64Nanoseconds(options_.max_age) < NowNs();
  return old ? "spool_age" : "";
}

void Spool::DropOldest(std::string_view reason) {
  std::uint64_t number = 0;
  {
    absl::MutexLock lock(&mutex_);
    number = segments_.begin()->first;
  }
  if (writer_ != nullptr && writer_->number() == number) Seal();
  absl::MutexLock lock(&mutex_);
  const auto oldest = segments_.begin();
  if (oldest->second.open_samples > 0) {
    log::Warn("spool dropped its oldest file", {{"folder", options_.folder},
                                                {"reason", reason},
                                                {"samples", oldest->second.open_samples}});
  }
  Erase(oldest, reason);
}

void Spool::RemoveFinished() {
  absl::MutexLock lock(&mutex_);
  const std::uint64_t lowest = LowestCursor();
  for (auto it = segments_.begin(); it != segments_.end();) {
    const auto segment = it++;
    if (!segment->second.sealed) continue;
    const bool past = std::all_of(consumers_.begin(), consumers_.end(), [&](const auto& entry) {
      return entry.second->IsPast(segment->first);
    });
    if (past || segment->second.last_sequence <= lowest) Erase(segment, "spool_damaged");
  }
}

void Spool::Erase(Segments::iterator segment, std::string_view reason) {
  Drop(reason, segment->second.open_samples);
  for (const auto& [name, consumer] : consumers_) consumer->Forget(segment->first);
  lost_.erase(lost_.lower_bound(segment->first), lost_.upper_bound(segment->second.last_sequence));
  garbage_.push_back(segment->second.path);
  segments_.erase(segment);
}

void Spool::WriteCursors() {
  Cursors cursors;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [name, consumer] : consumers_) cursors[name] = consumer->cursor();
  }
  if (!ack_log_.Write(cursors).ok()) metrics_.failed_writes.Increment();
}

void Spool::Unlink() {
  std::vector<std::string> paths;
  {
    absl::MutexLock lock(&mutex_);
    paths = std::exchange(garbage_, {});
  }
  if (paths.empty()) return;
  std::vector<std::string> failed;
  for (const std::string& path : paths) {
    const absl::Status status = env_.Unlink(path);
    if (!status.ok() && !absl::IsNotFound(status)) failed.push_back(path);
  }
  // A file that comes back after a power cut is below the cursors.
  (void)env_.SyncFolder(options_.folder);
  absl::MutexLock lock(&mutex_);
  garbage_.insert(garbage_.end(), failed.begin(), failed.end());
}

void Spool::MakeReserve() {
  if (options_.reserve_bytes == 0) return;
  const std::string path = options_.folder + kReserve;
  auto file = env_.Create(path);
  if (absl::IsAlreadyExists(file.status())) return;
  const absl::Status status = file.ok() ? (*file)->Allocate(options_.reserve_bytes) : file.status();
  if (status.ok()) return;
  log::Warn("no reserve for a full disk", {{"folder", options_.folder}, {"error", status}});
  (void)env_.Unlink(path);
}

// After a full disk, takes records again once there is room for some beside the reserve.
void Spool::CheckSpace() {
  {
    absl::MutexLock lock(&mutex_);
    if (!full_) return;
  }
  const auto free = env_.FreeBytes(options_.folder);
  const std::uint64_t wanted =
      options_.reserve_bytes + std::min<std::uint64_t>(options_.segment_bytes, 16 << 20);
  if (!free.ok() || *free < wanted) return;
  MakeReserve();
  log::Info("spool has space again", {{"folder", options_.folder}});
  absl::MutexLock lock(&mutex_);
  full_ = false;
}

void Spool::ExportSize() {
  absl::MutexLock lock(&mutex_);
  metrics_.bytes.Set(static_cast<double>(TotalBytes()));
  metrics_.segments.Set(static_cast<double>(segments_.size()));
  metrics_.full.Set(full_ ? 1 : 0);
}

std::int64_t Spool::NowNs() const {
  return absl::ToUnixNanos(wall_start_ + (clock_.Monotonic() - monotonic_start_));
}

}  // namespace stoker::spool
