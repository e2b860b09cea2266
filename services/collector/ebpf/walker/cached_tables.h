#pragma once

#include <utility>
#include <vector>

#include "services/collector/ebpf/unwind/table_cache.h"
#include "services/collector/ebpf/walker/table_source.h"

namespace stoker::ebpf::walker {

// The tables of a TableCache.
class CachedTables final : public TableSource {
 public:
  explicit CachedTables(unwind::TableCache& cache) : cache_(cache) {}

  void Request(const BinaryPtr& binary) override { cache_.Request(binary); }
  std::vector<Ready> TakeReady() override {
    std::vector<Ready> ready;
    for (unwind::TableCache::Ready& one : cache_.TakeReady()) {
      ready.push_back({std::move(one.binary), std::move(one.table)});
    }
    return ready;
  }

 private:
  unwind::TableCache& cache_;
};

}  // namespace stoker::ebpf::walker
