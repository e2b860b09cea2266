#include "services/store/sum_cache.h"

#include <utility>

#include <xxhash.h>

namespace stoker::store {

std::size_t SumCache::KeyHash::operator()(const Key& key) const {
  return XXH3_64bits_withSeed(key.series.data(), key.series.size() * sizeof(SeriesId), key.block);
}

SumCache::Sums SumCache::Get(const Key& key) {
  absl::MutexLock lock(&mutex_);
  const auto it = by_key_.find(key);
  if (it == by_key_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, it->second);
  return it->second->sums;
}

void SumCache::Put(Key key, Sums sums) {
  absl::MutexLock lock(&mutex_);
  // Two queries may have made the same.
  if (by_key_.contains(key)) return;
  entries_.push_front({.key = key, .sums = std::move(sums)});
  by_key_.emplace(std::move(key), entries_.begin());
  bytes_ += entries_.front().bytes();
  while (bytes_ > max_bytes_) {
    bytes_ -= entries_.back().bytes();
    by_key_.erase(entries_.back().key);
    entries_.pop_back();
  }
}

}  // namespace stoker::store
