// What Storage does beside pushes and queries: blocks are made, merged and dropped.
#include <algorithm>
#include <map>
#include <utility>

#include "services/common/base/status.h"
#include "services/common/log/log.h"
#include "services/store/storage.h"
#include "services/store/symbol_import.h"

namespace stoker::store {
namespace {

// A block in the making, and the copying of one part's stacks into it.
struct Making {
  explicit Making(const SeriesCatalog& catalog) : builder(catalog) {}

  void Add(const ProfileRow& row, const Symbols& symbols, std::vector<StackValue>& samples) {
    if (!copy) copy.emplace(symbols, builder.symbols());
    for (StackValue& sample : samples) sample.stack = copy->Stack(sample.stack);
    builder.AddProfile(row.series, row.time_nanos, samples);
  }

  BlockBuilder builder;
  std::optional<SymbolCopy> copy;
};

}  // namespace

absl::Status Storage::Maintain() {
  STOKER_RETURN_IF_ERROR(RollHead());
  STOKER_RETURN_IF_ERROR(SealOldest());
  STOKER_RETURN_IF_ERROR(CompactOne());
  STOKER_RETURN_IF_ERROR(SetDamagedAside());
  return DropExpired();
}

absl::Status Storage::RollHead() {
  const LoggedHead active = ActiveHead();
  const bool full = active.log->size() >= options_.max_log_bytes;
  const bool old = clock_.Monotonic() - active.opened >= options_.max_head_age;
  if ((!full && !old) || active.head->profiles() == 0) return absl::OkStatus();
  {
    // One that could not become blocks yet must go first.
    absl::MutexLock lock(&state_mutex_);
    if (heads_.size() > 1) return absl::OkStatus();
  }
  STOKER_ASSIGN_OR_RETURN(LoggedHead next, OpenHead(active.generation + 1));
  {
    absl::MutexLock push_lock(&push_mutex_);
    absl::MutexLock lock(&state_mutex_);
    heads_.push_back(std::move(next));
  }
  return active.log->Sync();
}

absl::Status Storage::SealOldest() {
  LoggedHead oldest;
  {
    absl::MutexLock lock(&state_mutex_);
    if (heads_.size() < 2) return absl::OkStatus();
    oldest = heads_.front();
  }
  std::map<std::int64_t, Making> partitions;
  const auto making = [&](std::int64_t time_nanos) -> Making& {
    return partitions.try_emplace(PartitionOf(time_nanos), catalog_).first->second;
  };
  STOKER_RETURN_IF_ERROR(oldest.head->ForEachProfile(
      [&](const ProfileRow& row, const Symbols& symbols, std::vector<StackValue>& samples) {
        making(row.time_nanos).Add(row, symbols, samples);
      }));
  oldest.head->ForEachKey([&](const ProfileKey& key, std::int64_t time_nanos) {
    making(time_nanos).builder.AddKey(key);
  });
  Database::Change change = {.sealed_generation = oldest.generation};
  std::vector<std::shared_ptr<Block>> added;
  for (auto& [partition, block] : partitions) {
    STOKER_ASSIGN_OR_RETURN(added.emplace_back(), WriteBlock(std::move(block.builder)));
    change.added.push_back(added.back()->info());
  }
  STOKER_RETURN_IF_ERROR(Apply(std::move(change), std::move(added)));
  return env_.Unlink(LogPath(oldest.generation));
}

absl::StatusOr<std::shared_ptr<Block>> Storage::WriteBlock(BlockBuilder builder) {
  const std::uint64_t id = next_block_++;
  const std::string path = BlockPath(id);
  STOKER_ASSIGN_OR_RETURN(BlockInfo info, std::move(builder).Write(path));
  info.id = id;
  return std::make_shared<Block>(std::move(info), path, catalog_, cache_, sums_);
}

absl::Status Storage::Apply(Database::Change change, std::vector<std::shared_ptr<Block>> added) {
  if (const absl::Status status = database_->Apply(change, catalog_); !status.ok()) {
    for (const auto& block : added) block->RemoveFile();
    return status;
  }
  absl::MutexLock lock(&state_mutex_);
  for (const std::uint64_t id : change.removed) {
    const auto block =
        std::ranges::find_if(blocks_, [&](const auto& b) { return b->info().id == id; });
    if (block == blocks_.end()) continue;
    (*block)->RemoveFile();
    blocks_.erase(block);
  }
  blocks_.insert(blocks_.end(), added.begin(), added.end());
  std::erase_if(
      heads_, [&](const LoggedHead& head) { return head.generation <= change.sealed_generation; });
  return absl::OkStatus();
}

std::vector<std::shared_ptr<Block>> Storage::CompactionCandidates() const {
  const std::int64_t now = PartitionOf(absl::ToUnixNanos(clock_.Now()));
  std::map<std::int64_t, std::vector<std::shared_ptr<Block>>> partitions;
  for (auto& block : Blocks()) {
    if (block->damaged() || block->info().bytes > options_.max_compacted_bytes / 2) continue;
    partitions[PartitionOf(block->info().bounds.min)].push_back(std::move(block));
  }
  for (auto& [partition, blocks] : partitions) {
    // The last partition may still get late profiles for a while.
    const bool over = partition + 1 < now;
    if (blocks.size() < (over ? 2 : options_.compact_blocks)) continue;
    std::ranges::sort(blocks, {}, [](const auto& block) { return block->info().bytes; });
    std::uint64_t bytes = 0;
    const auto end = std::ranges::find_if(blocks, [&](const auto& block) {
      return (bytes += block->info().bytes) > options_.max_compacted_bytes;
    });
    blocks.erase(end, blocks.end());
    if (blocks.size() > 1) return std::move(blocks);
  }
  return {};
}

absl::Status Storage::CompactOne() {
  const std::vector<std::shared_ptr<Block>> sources = CompactionCandidates();
  if (sources.empty()) return absl::OkStatus();
  Making making(catalog_);
  Database::Change change;
  for (const auto& source : sources) {
    const absl::Status status = source->ForEachProfile(
        [&](const ProfileRow& row, const Symbols& symbols, std::vector<StackValue>& samples) {
          making.Add(row, symbols, samples);
        },
        [&](const ProfileKey& key) { making.builder.AddKey(key); });
    // With damage the others are tried again without it.
    if (!status.ok()) return source->NoteDamage(status);
    making.copy.reset();
    change.removed.push_back(source->info().id);
  }
  STOKER_ASSIGN_OR_RETURN(std::shared_ptr<Block> block, WriteBlock(std::move(making.builder)));
  change.added.push_back(block->info());
  return Apply(std::move(change), {std::move(block)});
}

absl::Status Storage::SetDamagedAside() {
  for (const auto& block : Blocks()) {
    if (!block->damaged()) continue;
    STOKER_RETURN_IF_ERROR(SetFileAside(block->path()));
    STOKER_RETURN_IF_ERROR(Apply({.removed = {block->info().id}}, {}));
  }
  return absl::OkStatus();
}

absl::Status Storage::SetFileAside(const std::string& path) {
  const absl::Status renamed = env_.Rename(path, path + ".damaged");
  // Somebody removed it, which is the damage.
  if (renamed.code() == absl::StatusCode::kNotFound) return absl::OkStatus();
  if (renamed.ok()) ++damaged_blocks_;
  return renamed;
}

absl::Status Storage::DropExpired() {
  std::vector<std::shared_ptr<Block>> blocks = Blocks();
  std::ranges::sort(blocks, std::ranges::greater{},
                    [](const auto& block) { return block->info().bounds.max; });
  const std::int64_t oldest = absl::ToUnixNanos(clock_.Now() - options_.max_age);
  std::uint64_t bytes = 0;
  Database::Change change;
  for (const auto& block : blocks) {
    bytes += block->info().bytes;
    const bool too_old =
        options_.max_age > absl::ZeroDuration() && block->info().bounds.max < oldest;
    const bool too_much = options_.max_block_bytes > 0 && bytes > options_.max_block_bytes;
    if (!too_old && !too_much) continue;
    log::Info("block dropped", {{"file", block->path()},
                                {"reason", too_old ? "max_age" : "max_bytes"},
                                {"profiles", block->info().profiles}});
    change.removed.push_back(block->info().id);
  }
  if (change.removed.empty()) return absl::OkStatus();
  return Apply(std::move(change), {});
}

std::int64_t Storage::PartitionOf(std::int64_t time_nanos) const {
  const std::int64_t size = absl::ToInt64Nanoseconds(options_.partition);
  return time_nanos / size - (time_nanos % size < 0 ? 1 : 0);
}

}  // namespace stoker::store
