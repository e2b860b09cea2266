#pragma once

#include <list>
#include <map>
#include <string>

#include <absl/synchronization/mutex.h>

#include "proto/symbol/v1/symbol.pb.h"
#include "services/collector/ebpf/binary.h"

namespace stoker::ebpf {

// The binaries that symbols may be asked of, by their keys without the tenant; open, so that those
// of processes that ended can still be served. The oldest goes when it is full. Thread-safe.
class BinaryStore {
 public:
  explicit BinaryStore(std::size_t capacity) : capacity_(capacity) {}

  // A binary that was read.
  void Add(BinaryPtr binary);
  // Null when nobody has it any more.
  [[nodiscard]] BinaryPtr Find(const symbol::v1::BinaryKey& key) const;

 private:
  const std::size_t capacity_;
  mutable absl::Mutex mutex_;
  std::map<std::string, BinaryPtr> binaries_ ABSL_GUARDED_BY(mutex_);
  std::list<std::string> order_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace stoker::ebpf
