#include "services/store/timeline.h"

#include <algorithm>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "services/common/base/status.h"

namespace stoker::store {
namespace {

std::int64_t FloorMillis(std::int64_t nanos) {
  return nanos / 1'000'000 - (nanos % 1'000'000 < 0 ? 1 : 0);
}

}  // namespace

absl::StatusOr<Timeline> MakeTimeline(const Query& query, const SeriesSet& series,
                                      std::int64_t start_ms, std::int64_t end_ms,
                                      std::int64_t step_ms,
                                      const std::vector<std::string>& group_by) {
  std::map<model::Labels, Timeline::Line> groups;
  std::unordered_map<SeriesId, Timeline::Line*> group_of;
  for (const SeriesId id : series) {
    const auto all = query.LabelsOf(id);
    model::Labels labels;
    for (const std::string& name : group_by) labels.Set(name, all->Get(name));
    Timeline::Line& line = groups[labels];
    line.labels = labels;
    group_of[id] = &line;
  }
  STOKER_RETURN_IF_ERROR(query.ForEachRow(series, [&](const ProfileRow& row) {
    const std::int64_t after = FloorMillis(row.time_nanos) - start_ms;
    if (after <= -step_ms) return;
    const std::int64_t buckets = after <= 0 ? 0 : (after + step_ms - 1) / step_ms;
    const std::int64_t time = start_ms + buckets * step_ms;
    if (time > end_ms) return;
    Timeline::Line& line = *group_of[row.series];
    line.points[time] += static_cast<double>(row.total);
    line.total += static_cast<double>(row.total);
  }));
  Timeline timeline;
  for (auto& [labels, line] : groups) {
    if (!line.points.empty()) timeline.lines.push_back(std::move(line));
  }
  std::ranges::stable_sort(timeline.lines, std::ranges::greater{}, &Timeline::Line::total);
  return timeline;
}

}  // namespace stoker::store
