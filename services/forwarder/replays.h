#pragma once

#include <cstdint>
#include <deque>
#include <set>
#include <string_view>
#include <utility>

#include <absl/synchronization/mutex.h>

namespace stoker::forwarder {

// The last 65,536 profiles that were accepted, by all their bytes: a sender that lost the answer
// sends the same again, and the far end would add it up twice. Thread-safe.
class Replays {
 public:
  using Key = std::pair<std::uint64_t, std::uint64_t>;
  // Of a serialized profile, its id included.
  static Key KeyOf(std::string_view record);

  bool Has(const Key& key) const;
  void Add(const Key& key);

 private:
  mutable absl::Mutex mutex_;
  std::set<Key> keys_ ABSL_GUARDED_BY(mutex_);
  // Oldest first.
  std::deque<Key> order_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace stoker::forwarder
