#include "services/store/storage.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <set>
#include <utility>

#include <xxhash.h>

#include "proto/push/v1/push.pb.h"
#include "services/common/base/status.h"
#include "services/common/log/log.h"
#include "services/store/admission.h"
#include "services/store/rejection.h"

namespace stoker::store {
namespace {

// A record of the head's log: the time of receipt in nanoseconds, then a push.v1.RawProfileSeries
// with one sample.
std::string EncodeRecord(const model::Labels& labels, std::string_view raw, std::string_view id,
                         absl::Time received) {
  push::v1::RawProfileSeries series;
  for (const model::LabelView label : labels) {
    types::v1::LabelPair* const pair = series.add_labels();
    pair->set_name(label.name.data(), label.name.size());
    pair->set_value(label.value.data(), label.value.size());
  }
  push::v1::RawSample* const sample = series.add_samples();
  sample->set_raw_profile(raw.data(), raw.size());
  sample->set_id(id.data(), id.size());
  const std::int64_t nanos = absl::ToUnixNanos(received);
  std::string record(sizeof(nanos), '\0');
  std::memcpy(record.data(), &nanos, sizeof(nanos));
  series.AppendToString(&record);
  return record;
}

std::optional<ProfileKey> KeyOf(const model::Labels& labels, std::string_view id) {
  if (id.empty()) return std::nullopt;
  std::string text = labels.ToString();
  text += '\0';
  text += id;
  const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  return ProfileKey{hash.low64, hash.high64};
}

// The number in a file's name: "<prefix><number><suffix>", else nothing.
std::optional<std::uint64_t> NumberIn(std::string_view name, std::string_view prefix,
                                      std::string_view suffix) {
  if (!name.starts_with(prefix) || !name.ends_with(suffix)) return std::nullopt;
  name.remove_prefix(prefix.size());
  if (name.size() <= suffix.size()) return std::nullopt;
  name.remove_suffix(suffix.size());
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return number;
}

// Heads that wait to become blocks, and how far the newest may outgrow its size, before pushes are
// refused: memory stays bounded where the disk is full or slow.
constexpr std::uint64_t kMaxLogOvergrowth = 4;

}  // namespace

absl::StatusOr<std::unique_ptr<Storage>> Storage::Open(StorageOptions options, const Clock& clock) {
  std::unique_ptr<Storage> storage(new Storage(std::move(options), clock));
  STOKER_RETURN_IF_ERROR(storage->OpenAll());
  return storage;
}

absl::Status Storage::OpenAll() {
  STOKER_RETURN_IF_ERROR(env_.MakeFolder(options_.dir + "/blocks"));
  STOKER_ASSIGN_OR_RETURN(lock_, env_.Lock(options_.dir + "/lock"));
  STOKER_ASSIGN_OR_RETURN(const auto files, env_.List(options_.dir + "/blocks"));
  damaged_blocks_ = static_cast<std::uint64_t>(std::ranges::count_if(
      files, [](const std::string& name) { return name.ends_with(".damaged"); }));
  STOKER_RETURN_IF_ERROR(OpenDatabase());
  if (database_->is_new()) {
    STOKER_RETURN_IF_ERROR(RebuildDatabase());
  } else {
    STOKER_RETURN_IF_ERROR(OpenBlocks());
  }
  return OpenHeads();
}

absl::Status Storage::OpenDatabase() {
  const std::string path = options_.dir + "/index.db";
  auto database = Database::Open(path);
  if (database.status().code() == absl::StatusCode::kDataLoss) {
    log::Error("index set aside and made again from the blocks",
               {{"file", path}, {"error", Message(database.status())}});
    STOKER_RETURN_IF_ERROR(env_.Rename(path, path + ".damaged"));
    std::error_code ignored;
    for (const char* const suffix : {"-wal", "-shm"}) {
      std::filesystem::remove(path + suffix, ignored);
    }
    database = Database::Open(path);
  }
  STOKER_RETURN_IF_ERROR(database.status());
  database_ = *std::move(database);
  return absl::OkStatus();
}

absl::Status Storage::OpenBlocks() {
  STOKER_ASSIGN_OR_RETURN(std::vector<BlockInfo> infos, database_->Load(catalog_));
  std::set<std::uint64_t> known;
  absl::MutexLock lock(&state_mutex_);
  for (BlockInfo& info : infos) {
    known.insert(info.id);
    next_block_ = std::max(next_block_, info.id + 1);
    std::string path = BlockPath(info.id);
    blocks_.push_back(
        std::make_shared<Block>(std::move(info), std::move(path), catalog_, cache_, sums_));
  }
  // What a kill left behind: a block is in the index or it is nothing.
  STOKER_ASSIGN_OR_RETURN(const auto names, env_.List(options_.dir + "/blocks"));
  for (const std::string& name : names) {
    const auto id = NumberIn(name, "", ".block");
    const bool orphan = (id && !known.contains(*id)) || name.ends_with(".tmp");
    if (orphan) STOKER_RETURN_IF_ERROR(env_.Unlink(options_.dir + "/blocks/" + name));
  }
  return absl::OkStatus();
}

absl::Status Storage::RebuildDatabase() {
  Database::Change change;
  std::vector<std::shared_ptr<Block>> blocks;
  STOKER_ASSIGN_OR_RETURN(const auto names, env_.List(options_.dir + "/blocks"));
  for (const std::string& name : names) {
    const auto id = NumberIn(name, "", ".block");
    if (!id) continue;
    next_block_ = std::max(next_block_, *id + 1);
    const std::string path = BlockPath(*id);
    auto info = Block::ReadInfo(path, catalog_);
    if (!info.ok()) {
      log::Error("block set aside", {{"file", path}, {"error", Message(info.status())}});
      STOKER_RETURN_IF_ERROR(SetFileAside(path));
      continue;
    }
    info->id = *id;
    std::error_code ignored;
    info->bytes = std::filesystem::file_size(path, ignored);
    change.added.push_back(*info);
    blocks.push_back(std::make_shared<Block>(*std::move(info), path, catalog_, cache_, sums_));
  }
  return Apply(std::move(change), std::move(blocks));
}

absl::Status Storage::OpenHeads() {
  STOKER_ASSIGN_OR_RETURN(const std::uint64_t sealed, database_->SealedGeneration());
  STOKER_ASSIGN_OR_RETURN(const auto names, env_.List(options_.dir));
  std::set<std::uint64_t> generations;
  for (const std::string& name : names) {
    const auto generation = NumberIn(name, "head-", ".log");
    if (!generation) continue;
    if (*generation <= sealed) {
      STOKER_RETURN_IF_ERROR(env_.Unlink(LogPath(*generation)));
    } else {
      generations.insert(*generation);
    }
  }
  if (generations.empty()) generations.insert(sealed + 1);
  for (const std::uint64_t generation : generations) {
    STOKER_ASSIGN_OR_RETURN(LoggedHead head, OpenHead(generation));
    absl::MutexLock lock(&state_mutex_);
    heads_.push_back(std::move(head));
  }
  return absl::OkStatus();
}

absl::StatusOr<Storage::LoggedHead> Storage::OpenHead(std::uint64_t generation) {
  LoggedHead opened = {.generation = generation,
                       .head = std::make_shared<Head>(catalog_),
                       .opened = clock_.Monotonic()};
  STOKER_ASSIGN_OR_RETURN(opened.log,
                          HeadLog::Open(LogPath(generation), [&](std::string_view record) {
                            return Replay(record, *opened.head);
                          }));
  return opened;
}

absl::Status Storage::Replay(std::string_view record, Head& head) {
  std::int64_t nanos = 0;
  push::v1::RawProfileSeries series;
  if (record.size() < sizeof(nanos) ||
      !series.ParseFromArray(record.data() + sizeof(nanos),
                             static_cast<int>(record.size() - sizeof(nanos))) ||
      series.samples_size() != 1) {
    return DataLoss("record of {} bytes is no profile", record.size());
  }
  std::memcpy(&nanos, record.data(), sizeof(nanos));
  std::vector<model::Label> pairs;
  for (const types::v1::LabelPair& pair : series.labels()) {
    pairs.push_back({pair.name(), pair.value()});
  }
  const model::Labels labels(std::move(pairs));
  const push::v1::RawSample& sample = series.samples(0);
  const auto profile =
      AdmitProfile(labels, sample.raw_profile(), absl::FromUnixNanos(nanos), options_.limits);
  // It was admitted once: only limits that were made tighter since can refuse it.
  if (!profile.ok()) return absl::OkStatus();
  const std::optional<ProfileKey> key = KeyOf(labels, sample.id());
  if (key) {
    // In a block already, where the index was lost after the block was made.
    STOKER_ASSIGN_OR_RETURN(const bool stored, IsStored(*key, profile->time_nanos));
    if (stored) return absl::OkStatus();
  }
  head.Add(*profile, key);
  return absl::OkStatus();
}

absl::StatusOr<Storage::Pushed> Storage::Push(const model::Labels& labels, std::string_view raw,
                                              std::string_view id) {
  const absl::Time received = clock_.Now();
  STOKER_ASSIGN_OR_RETURN(const AdmittedProfile profile,
                          AdmitProfile(labels, raw, received, options_.limits));
  STOKER_RETURN_IF_ERROR(CheckWindow(labels, profile.time_nanos, received, options_.limits));
  STOKER_RETURN_IF_ERROR(CheckSeriesLimit(profile));
  Pushed pushed = {.samples = profile.profile.samples.size()};
  if (profile.series.empty()) return pushed;

  const std::optional<ProfileKey> key = KeyOf(labels, id);
  const std::string record = EncodeRecord(labels, raw, id, received);
  absl::MutexLock lock(&push_mutex_);
  if (key) {
    STOKER_ASSIGN_OR_RETURN(pushed.duplicate, IsStored(*key, profile.time_nanos));
    if (pushed.duplicate) return pushed;
  }
  const LoggedHead active = ActiveHead();
  if (active.log->size() > kMaxLogOvergrowth * options_.max_log_bytes) {
    return Unavailable("store: the disk takes profiles slower than they come");
  }
  if (const absl::Status appended = active.log->Append(record); !appended.ok()) {
    return Unavailable("store: {}", Message(appended));
  }
  active.head->Add(profile, key);
  for (const AdmittedProfile::Series& series : profile.series) {
    pushed.stored = std::max<std::uint64_t>(pushed.stored, series.entries.size());
  }
  return pushed;
}

absl::Status Storage::CheckSeriesLimit(const AdmittedProfile& profile) const {
  if (catalog_.size() < options_.limits.max_series) return absl::OkStatus();
  for (const AdmittedProfile::Series& series : profile.series) {
    if (catalog_.Find(series.labels)) continue;
    return Reject("series_limit", ResourceExhausted("maximum number of series reached: {}",
                                                    options_.limits.max_series));
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> Storage::IsStored(const ProfileKey& key, std::int64_t time_nanos) const {
  // The same profile has the same time, so only few parts can hold it: mostly the head alone.
  for (const auto& part : Parts()) {
    if (!part->bounds().Has(time_nanos)) continue;
    STOKER_ASSIGN_OR_RETURN(const bool stored, part->HasKey(key));
    if (stored) return true;
  }
  return false;
}

Storage::LoggedHead Storage::ActiveHead() const {
  absl::MutexLock lock(&state_mutex_);
  return heads_.back();
}

absl::Status Storage::Sync() { return ActiveHead().log->Sync(); }

std::vector<std::shared_ptr<const Part>> Storage::Parts() const {
  absl::MutexLock lock(&state_mutex_);
  std::vector<std::shared_ptr<const Part>> parts(blocks_.begin(), blocks_.end());
  for (const LoggedHead& head : heads_) parts.push_back(head.head);
  return parts;
}

std::vector<std::shared_ptr<Block>> Storage::Blocks() const {
  absl::MutexLock lock(&state_mutex_);
  return blocks_;
}

Storage::Sizes Storage::sizes() const {
  Sizes sizes = {.series = catalog_.size(), .damaged_blocks = damaged_blocks_};
  absl::MutexLock lock(&state_mutex_);
  for (const LoggedHead& head : heads_) sizes.head_bytes += head.head->bytes();
  sizes.blocks = blocks_.size();
  for (const auto& block : blocks_) sizes.block_bytes += block->info().bytes;
  return sizes;
}

std::string Storage::BlockPath(std::uint64_t id) const {
  return fmt::format("{}/blocks/{}.block", options_.dir, id);
}

std::string Storage::LogPath(std::uint64_t generation) const {
  return fmt::format("{}/head-{}.log", options_.dir, generation);
}

}  // namespace stoker::store
