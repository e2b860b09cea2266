#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <unordered_map>

#include <absl/synchronization/mutex.h>

#include "services/store/part.h"
#include "services/store/symbols.h"

namespace stoker::store {

// A block read into memory: all but its samples.
struct LoadedBlock {
  struct Row {
    ProfileRow profile;
    // Where its samples begin: the section and the byte in it.
    std::uint32_t section = 0;
    std::uint32_t offset = 0;
  };
  struct SeriesRows {
    SeriesId series = 0;
    std::uint32_t first = 0;
    std::uint32_t count = 0;
  };

  Symbols symbols;
  // By series in the block's order, then by time.
  std::vector<Row> rows;
  std::vector<SeriesRows> series;
  // Sorted.
  std::vector<ProfileKey> keys;

  [[nodiscard]] std::size_t bytes() const {
    return symbols.bytes() + rows.size() * sizeof(Row) + keys.size() * sizeof(ProfileKey);
  }
};

// Keeps the blocks that were used last, up to a number of bytes. Thread-safe.
class BlockCache {
 public:
  explicit BlockCache(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  // Null when it is not there.
  std::shared_ptr<const LoadedBlock> Get(std::uint64_t id);
  void Put(std::uint64_t id, std::shared_ptr<const LoadedBlock> block);
  void Erase(std::uint64_t id);

 private:
  struct Entry {
    std::uint64_t id;
    std::size_t bytes;
    std::shared_ptr<const LoadedBlock> block;
  };
  void EraseLocked(std::uint64_t id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::size_t max_bytes_;
  absl::Mutex mutex_;
  std::size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  // The last used first.
  std::list<Entry> entries_ ABSL_GUARDED_BY(mutex_);
  std::unordered_map<std::uint64_t, std::list<Entry>::iterator> by_id_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace stoker::store
