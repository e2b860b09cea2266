#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "services/common/pprof/hash_index.h"
#include "services/common/pprof/profile_builder.h"
#include "services/store/profile_type.h"
#include "services/store/symbols.h"

namespace stoker::store {

// Adds the stacks of several parts up to one pprof of a single sample type.
class PprofSum {
 public:
  // `sums[n]` is the value of stack n of `symbols`.
  void Add(const Symbols& symbols, std::span<const std::int64_t> sums);

  // The message, bare; "" when nothing was added. `end_nanos` becomes its time. Past `max_samples`
  // (0: all) the smallest become one sample of a frame "other".
  std::string Finish(const ProfileType& type, std::int64_t end_nanos, std::int64_t max_samples) &&;

 private:
  std::uint64_t Location(const Symbols& symbols, std::uint32_t location);
  std::uint64_t Mapping(const Symbols& symbols, std::uint32_t mapping);

  pprof::ProfileBuilder builder_;
  // Sample n's location ids, the leaf first: pool_[starts_[n], starts_[n + 1]).
  std::vector<std::uint64_t> pool_;
  std::vector<std::size_t> starts_ = {0};
  std::vector<std::int64_t> values_;
  pprof::HashIndex index_;
  // Of the part being added: builder's ids, 0 where not entered yet.
  std::vector<std::uint64_t> locations_;
  std::vector<pprof::ProfileBuilder::Line> lines_;
};

}  // namespace stoker::store
