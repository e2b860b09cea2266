#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "services/common/model/labels.h"
#include "services/store/query.h"

namespace stoker::store {

// Totals over time, one line for each value of the `group_by` labels.
struct Timeline {
  struct Line {
    // The group_by labels that the series have.
    model::Labels labels;
    // By time in milliseconds; empty buckets are left out.
    std::map<std::int64_t, double> points;
    double total = 0;
  };
  // By total, the largest first, then by labels.
  std::vector<Line> lines;
};

// Points lie at start + k * step, up to `end`; each holds what happened in the step before it, its
// own instant included. Milliseconds, step at least 1. `query` must begin one step before `start`.
absl::StatusOr<Timeline> MakeTimeline(const Query& query, const SeriesSet& series,
                                      std::int64_t start_ms, std::int64_t end_ms,
                                      std::int64_t step_ms,
                                      const std::vector<std::string>& group_by);

}  // namespace stoker::store
