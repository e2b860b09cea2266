#include "services/forwarder/replays.h"

#include <xxhash.h>

namespace stoker::forwarder {
namespace {

constexpr std::size_t kMaxKeys = 65'536;

}  // namespace

Replays::Key Replays::KeyOf(std::string_view record) {
  const XXH128_hash_t hash = XXH3_128bits(record.data(), record.size());
  return {hash.high64, hash.low64};
}

bool Replays::Has(const Key& key) const {
  absl::MutexLock lock(&mutex_);
  return keys_.contains(key);
}

void Replays::Add(const Key& key) {
  absl::MutexLock lock(&mutex_);
  if (!keys_.insert(key).second) return;
  order_.push_back(key);
  if (order_.size() <= kMaxKeys) return;
  keys_.erase(order_.front());
  order_.pop_front();
}

}  // namespace stoker::forwarder
