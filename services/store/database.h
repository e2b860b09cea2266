#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "services/store/block_builder.h"
#include "services/store/series_catalog.h"

struct sqlite3;

namespace stoker::store {

// The SQLite index of a store: its blocks, their series, and which head logs are in blocks already.
// It can be made again from the blocks. One thread at a time; every change is one transaction that
// survives a power cut once it returns.
class Database {
 public:
  // Opens or makes `path`. DATA_LOSS for a file that is no sound database.
  static absl::StatusOr<std::unique_ptr<Database>> Open(const std::string& path);

  // Whether it was made just now: blocks that lie about are not in it.
  [[nodiscard]] bool is_new() const { return is_new_; }

  // Restores the catalog's series; returns the blocks, the oldest first.
  absl::StatusOr<std::vector<BlockInfo>> Load(SeriesCatalog& catalog);

  // Head logs up to this generation are in blocks.
  absl::StatusOr<std::uint64_t> SealedGeneration();

  struct Change {
    std::vector<BlockInfo> added;
    // Ids of blocks.
    std::vector<std::uint64_t> removed;
    // 0 leaves it as it is.
    std::uint64_t sealed_generation = 0;
  };
  // Series that no block has any more go too.
  absl::Status Apply(const Change& change, const SeriesCatalog& catalog);

 private:
  struct Close {
    void operator()(sqlite3* db) const;
  };

  Database() = default;
  absl::Status Run(const std::string& sql);
  absl::Status AddBlock(const BlockInfo& block, const SeriesCatalog& catalog);
  absl::Status LoadSeries(SeriesCatalog& catalog);
  absl::Status ApplyAll(const Change& change, const SeriesCatalog& catalog);
  [[nodiscard]] absl::Status Failure(std::string_view what) const;

  std::unique_ptr<sqlite3, Close> db_;
  bool is_new_ = false;
};

}  // namespace stoker::store
