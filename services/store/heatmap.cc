#include "services/store/heatmap.h"

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <unordered_map>
#include <utility>

#include "services/common/base/status.h"

namespace stoker::store {
namespace {

constexpr std::size_t kClasses = 20;
using Counts = std::array<std::int32_t, kClasses>;

// Totals of the profiles of one group, with the slot they fall into.
struct Group {
  model::Labels labels;
  std::vector<std::pair<std::int64_t, std::int64_t>> points;
};

// Lower bounds of the classes between two totals.
std::array<std::int64_t, kClasses> LowerBounds(std::int64_t min, std::int64_t max) {
  // In floating point: the range of two int64 does not fit one.
  const double range = max == min ? 1 : static_cast<double>(max) - static_cast<double>(min);
  std::array<std::int64_t, kClasses> bounds;
  for (std::size_t i = 0; i < kClasses; ++i) {
    bounds[i] = min + static_cast<std::int64_t>(static_cast<double>(i) * range / double{kClasses});
  }
  return bounds;
}

}  // namespace

absl::StatusOr<querier::v1::SelectHeatmapResponse> MakeHeatmap(
    const Query& query, const SeriesSet& series, std::int64_t start_ms, std::int64_t end_ms,
    std::int64_t step_ms, const std::vector<std::string>& group_by, std::int64_t limit) {
  std::map<model::Labels, Group> groups;
  std::unordered_map<SeriesId, Group*> group_of;
  for (const SeriesId id : series) {
    const auto all = query.LabelsOf(id);
    model::Labels labels;
    for (const std::string& name : group_by) labels.Set(name, all->Get(name));
    Group& group = groups[labels];
    group.labels = labels;
    group_of[id] = &group;
  }
  std::int64_t min = std::numeric_limits<std::int64_t>::max();
  std::int64_t max = std::numeric_limits<std::int64_t>::min();
  STOKER_RETURN_IF_ERROR(query.ForEachRow(series, [&](const ProfileRow& row) {
    const std::int64_t after = std::max<std::int64_t>(row.time_nanos / 1'000'000 - start_ms, 0);
    const std::int64_t slot = start_ms + (after + step_ms - 1) / step_ms * step_ms;
    group_of[row.series]->points.emplace_back(slot, row.total);
    min = std::min(min, row.total);
    max = std::max(max, row.total);
  }));
  const std::int64_t last = start_ms + (end_ms - start_ms + step_ms - 1) / step_ms * step_ms;

  std::vector<const Group*> order;
  for (const auto& [labels, group] : groups) {
    if (!group.points.empty()) order.push_back(&group);
  }
  std::ranges::stable_sort(order, std::ranges::greater{},
                           [](const Group* group) { return group->points.size(); });
  if (limit > 0 && order.size() > static_cast<std::size_t>(limit)) {
    order.resize(static_cast<std::size_t>(limit));
  }

  querier::v1::SelectHeatmapResponse response;
  if (order.empty()) return response;
  const auto bounds = LowerBounds(min, max);
  for (const Group* const group : order) {
    std::map<std::int64_t, Counts> slots;
    for (const auto& [slot, total] : group->points) {
      const auto above = std::ranges::upper_bound(bounds, total);
      ++slots[std::min(slot, last)][static_cast<std::size_t>(above - bounds.begin()) - 1];
    }
    querier::v1::HeatmapSeries* const out = response.add_series();
    for (const model::LabelView label : group->labels) {
      types::v1::LabelPair* const pair = out->add_labels();
      pair->set_name(label.name.data(), label.name.size());
      pair->set_value(label.value.data(), label.value.size());
    }
    for (const auto& [time, counts] : slots) {
      querier::v1::HeatmapSlot* const slot = out->add_slots();
      slot->set_timestamp(time);
      for (std::size_t i = 0; i < kClasses; ++i) {
        slot->add_y_min(static_cast<double>(bounds[i]));
        slot->add_counts(counts[i]);
      }
    }
  }
  return response;
}

}  // namespace stoker::store
