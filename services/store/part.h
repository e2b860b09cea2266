#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <unordered_set>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "services/store/sample_codec.h"
#include "services/store/symbols.h"

namespace stoker::store {

// A series' number in the catalog.
using SeriesId = std::uint32_t;
using SeriesSet = std::unordered_set<SeriesId>;

// Names a pushed profile: a hash of its label set and the ID that the sender gave it.
using ProfileKey = std::array<std::uint64_t, 2>;

// Unix time in nanoseconds, the end excluded.
struct TimeRange {
  std::int64_t start = std::numeric_limits<std::int64_t>::min();
  std::int64_t end = std::numeric_limits<std::int64_t>::max();

  [[nodiscard]] bool Has(std::int64_t time) const { return time >= start && time < end; }
};

// The first and the last time of some profiles.
struct TimeBounds {
  std::int64_t min = std::numeric_limits<std::int64_t>::max();
  std::int64_t max = std::numeric_limits<std::int64_t>::min();

  void Add(std::int64_t time) {
    min = std::min(min, time);
    max = std::max(max, time);
  }
  [[nodiscard]] bool Overlaps(const TimeRange& range) const {
    return min < range.end && max >= range.start;
  }
  [[nodiscard]] bool Has(std::int64_t time) const { return time >= min && time <= max; }
};

// One profile of one series.
struct ProfileRow {
  SeriesId series = 0;
  std::int64_t time_nanos = 0;
  std::int64_t total = 0;
};

// Some stored profiles with their symbols: the head, or a block. Thread-safe.
class Part {
 public:
  virtual ~Part() = default;

  [[nodiscard]] virtual TimeBounds bounds() const = 0;

  // Adds the series that have profiles in `range`.
  virtual absl::Status CollectSeries(const TimeRange& range, SeriesSet& series) const = 0;

  using RowVisitor = std::function<void(const ProfileRow&)>;
  virtual absl::Status ForEachRow(const SeriesSet& series, const TimeRange& range,
                                  const RowVisitor& visit) const = 0;

  // Calls `use` once with the part's symbols and the sum of each stack over the profiles of
  // `series` in `range`; not at all when there are none. What it is given is valid only then.
  using SumVisitor = std::function<void(const Symbols&, std::span<const std::int64_t>)>;
  virtual absl::Status Sum(const SeriesSet& series, const TimeRange& range,
                           const SumVisitor& use) const = 0;

  // Whether a profile of this key is here.
  [[nodiscard]] virtual absl::StatusOr<bool> HasKey(const ProfileKey& key) const = 0;
};

}  // namespace stoker::store
