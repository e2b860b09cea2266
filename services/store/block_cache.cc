#include "services/store/block_cache.h"

#include <utility>

namespace stoker::store {

std::shared_ptr<const LoadedBlock> BlockCache::Get(std::uint64_t id) {
  absl::MutexLock lock(&mutex_);
  const auto it = by_id_.find(id);
  if (it == by_id_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, it->second);
  return it->second->block;
}

void BlockCache::Put(std::uint64_t id, std::shared_ptr<const LoadedBlock> block) {
  absl::MutexLock lock(&mutex_);
  EraseLocked(id);
  const std::size_t bytes = block->bytes();
  entries_.push_front({.id = id, .bytes = bytes, .block = std::move(block)});
  by_id_[id] = entries_.begin();
  bytes_ += bytes;
  // The newest stays even where it is larger than the cache: its reader holds it anyway.
  while (bytes_ > max_bytes_ && entries_.size() > 1) EraseLocked(entries_.back().id);
}

void BlockCache::Erase(std::uint64_t id) {
  absl::MutexLock lock(&mutex_);
  EraseLocked(id);
}

void BlockCache::EraseLocked(std::uint64_t id) {
  const auto it = by_id_.find(id);
  if (it == by_id_.end()) return;
  bytes_ -= it->second->bytes;
  entries_.erase(it->second);
  by_id_.erase(it);
}

}  // namespace stoker::store
