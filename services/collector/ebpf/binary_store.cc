#include "services/collector/ebpf/binary_store.h"

#include <utility>

namespace stoker::ebpf {
namespace {

std::string Key(symbol::v1::BinaryKey key) {
  key.clear_tenant();
  return key.SerializeAsString();
}

}  // namespace

void BinaryStore::Add(BinaryPtr binary) {
  std::string key = Key(binary->inspection.key());
  absl::MutexLock lock(&mutex_);
  const auto [entry, added] = binaries_.insert_or_assign(key, std::move(binary));
  if (!added) return;
  order_.push_back(std::move(key));
  if (order_.size() <= capacity_) return;
  binaries_.erase(order_.front());
  order_.pop_front();
}

BinaryPtr BinaryStore::Find(const symbol::v1::BinaryKey& key) const {
  absl::MutexLock lock(&mutex_);
  const auto found = binaries_.find(Key(key));
  return found == binaries_.end() ? nullptr : found->second;
}

}  // namespace stoker::ebpf
