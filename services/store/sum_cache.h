#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <unordered_map>
#include <vector>

#include <absl/synchronization/mutex.h>

#include "services/store/part.h"

namespace stoker::store {

// Keeps sums of stacks over whole blocks: who looks at a page asks for the same hours again and
// again, and most blocks lie in them whole. Past a number of bytes the longest unused go.
// Thread-safe.
class SumCache {
 public:
  using Sums = std::shared_ptr<const std::vector<std::int64_t>>;

  explicit SumCache(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  // What is summed: a block and some of its series, sorted.
  struct Key {
    std::uint64_t block = 0;
    std::vector<SeriesId> series;
    bool operator==(const Key&) const = default;
  };

  // Null when it is not there.
  Sums Get(const Key& key);
  void Put(Key key, Sums sums);

 private:
  struct KeyHash {
    std::size_t operator()(const Key& key) const;
  };
  struct Entry {
    Key key;
    Sums sums;

    [[nodiscard]] std::size_t bytes() const {
      return sums->size() * sizeof(std::int64_t) + key.series.size() * sizeof(SeriesId);
    }
  };

  const std::size_t max_bytes_;
  absl::Mutex mutex_;
  std::size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  // The last used first.
  std::list<Entry> entries_ ABSL_GUARDED_BY(mutex_);
  std::unordered_map<Key, std::list<Entry>::iterator, KeyHash> by_key_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace stoker::store
