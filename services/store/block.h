#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "services/store/block_builder.h"
#include "services/store/block_cache.h"
#include "services/store/block_file.h"
#include "services/store/part.h"
#include "services/store/series_catalog.h"
#include "services/store/sum_cache.h"

namespace stoker::store {

// A block on disk. Its file is opened at the first use and read section by section; what is not
// samples is kept in a cache that all blocks share. Thread-safe.
//
// A block that proves damaged is logged once and answers as if it were empty from then on, so that
// the rest is served.
class Block final : public Part {
 public:
  // All but the first two are borrowed.
  Block(BlockInfo info, std::string path, SeriesCatalog& catalog, BlockCache& cache, SumCache& sums)
      : info_(std::move(info)),
        path_(std::move(path)),
        catalog_(catalog),
        cache_(cache),
        sums_(sums) {}
  ~Block() override;

  // Reads what the database should know of a block's file; for making a lost database again. Enters
  // the block's series into the catalog.
  static absl::StatusOr<BlockInfo> ReadInfo(const std::string& path, SeriesCatalog& catalog);

  [[nodiscard]] const BlockInfo& info() const { return info_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] bool damaged() const { return damaged_; }

  // Takes an error of reading the block: for damage it is noted and gone, any other comes back.
  absl::Status NoteDamage(const absl::Status& status) const;

  // The file goes with the last reader.
  void RemoveFile() { remove_ = true; }

  [[nodiscard]] TimeBounds bounds() const override { return info_.bounds; }
  absl::Status CollectSeries(const TimeRange& range, SeriesSet& series) const override;
  absl::Status ForEachRow(const SeriesSet& series, const TimeRange& range,
                          const RowVisitor& visit) const override;
  absl::Status Sum(const SeriesSet& series, const TimeRange& range,
                   const SumVisitor& use) const override;
  [[nodiscard]] absl::StatusOr<bool> HasKey(const ProfileKey& key) const override;

  // Everything, for compaction; unlike the queries it returns DATA_LOSS for damage.
  using ProfileVisitor =
      std::function<void(const ProfileRow&, const Symbols&, std::vector<StackValue>&)>;
  absl::Status ForEachProfile(const ProfileVisitor& visit,
                              const std::function<void(const ProfileKey&)>& visit_key) const;

 private:
  [[nodiscard]] absl::StatusOr<std::shared_ptr<const LoadedBlock>> Load() const;
  [[nodiscard]] absl::StatusOr<std::shared_ptr<const BlockFile>> File() const;
  // Calls `visit(row)` for the rows of `series` in `range`, in the block's order.
  static void ForEachMatch(const LoadedBlock& block, const SeriesSet& series,
                           const TimeRange& range,
                           const std::function<void(const LoadedBlock::Row&)>& visit);
  // The sum of each stack over `series` in `range`, from the cache where the range has all of the
  // block; empty where they have nothing there.
  absl::StatusOr<SumCache::Sums> SumsOf(const LoadedBlock& block, const SeriesSet& series,
                                        const TimeRange& range) const;
  absl::Status SumRows(const LoadedBlock& block, const SeriesSet& series, const TimeRange& range,
                       std::vector<std::int64_t>& sums) const;
  const BlockInfo info_;
  const std::string path_;
  SeriesCatalog& catalog_;
  BlockCache& cache_;
  SumCache& sums_;
  std::atomic<bool> remove_ = false;
  mutable std::atomic<bool> damaged_ = false;
  mutable absl::Mutex mutex_;
  mutable std::shared_ptr<const BlockFile> file_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace stoker::store
