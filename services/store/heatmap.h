#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "proto/querier/v1/querier.pb.h"
#include "services/store/query.h"

namespace stoker::store {

// How many profiles of `series` had which total when: slots of `step_ms` named by their right edge
// in [start_ms, end_ms rounded up to a step], each with 20 equal classes of totals between the
// smallest and the largest of all. One series for each set of values of the labels `group_by`, the
// one with most profiles first, at most `limit` (0: all). pyroscope.md 3.4.
absl::StatusOr<querier::v1::SelectHeatmapResponse> MakeHeatmap(
    const Query& query, const SeriesSet& series, std::int64_t start_ms, std::int64_t end_ms,
    std::int64_t step_ms, const std::vector<std::string>& group_by, std::int64_t limit);

}  // namespace stoker::store
