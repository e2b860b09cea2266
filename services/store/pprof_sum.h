#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "services/common/pprof/hash_index.h"
#include "services/common/pprof/profile_builder.h"
#include "services/store/profile_type.h"
#include "services/store/symbols.h"

namespace stoker::store {

// Which stacks a merged pprof has, and how much of them.
struct StackOptions {
  // Only stacks that begin with these functions, from the root on; inlined ones count as frames.
  std::vector<std::string> call_site;
  // Only so many frames from the leaf on, for Go's profile-guided optimisation; 0 keeps all.
  std::uint32_t keep_locations = 0;
  // Leaves the line of the leaf out, so that all calls of one function from one place are one.
  bool aggregate_callees = false;
};

// Adds the stacks of several parts up to one pprof of a single sample type.
class PprofSum {
 public:
  explicit PprofSum(StackOptions options = {}) : options_(std::move(options)) {}

  // `sums[n]` is the value of stack n of `symbols`.
  void Add(const Symbols& symbols, std::span<const std::int64_t> sums);

  // The message, bare; "" when nothing was added. `end_nanos` becomes its time. Past `max_samples`
  // (0: all) the smallest become one sample of a frame "other".
  std::string Finish(const ProfileType& type, std::int64_t end_nanos, std::int64_t max_samples) &&;

 private:
  // The builder's id; with `is_leaf` as the leaf of a stack has it.
  std::uint64_t Location(const Symbols& symbols, std::uint32_t location, bool is_leaf);
  std::uint64_t Mapping(const Symbols& symbols, std::uint32_t mapping);

  const StackOptions options_;
  pprof::ProfileBuilder builder_;
  // Sample n's location ids, the leaf first: pool_[starts_[n], starts_[n + 1]).
  std::vector<std::uint64_t> pool_;
  std::vector<std::size_t> starts_ = {0};
  std::vector<std::int64_t> values_;
  pprof::HashIndex index_;
  // Of the part being added: builder's ids, 0 where not entered yet.
  std::vector<std::uint64_t> locations_;
  std::vector<std::uint64_t> leaf_locations_;
  std::vector<pprof::ProfileBuilder::Line> lines_;
};

}  // namespace stoker::store
