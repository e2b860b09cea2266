#include "services/store/querier.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "services/common/base/status.h"
#include "services/store/dot_graph.h"
#include "services/store/flame_graph.h"
#include "services/store/heatmap.h"
#include "services/store/pprof_sum.h"
#include "services/store/request_check.h"
#include "services/store/timeline.h"

namespace stoker::store {
namespace {

using model::Label;
using model::Labels;
using model::LabelView;

bool IsClassicName(std::string_view name) {
  return !name.empty() && std::isdigit(static_cast<unsigned char>(name[0])) == 0 &&
         std::ranges::all_of(name,
                             [](unsigned char c) { return c == '_' || std::isalnum(c) != 0; });
}

void AddPairs(const Labels& labels, google::protobuf::RepeatedPtrField<types::v1::LabelPair>& out) {
  for (const LabelView label : labels) {
    types::v1::LabelPair* const pair = out.Add();
    pair->set_name(label.name.data(), label.name.size());
    pair->set_value(label.value.data(), label.value.size());
  }
}

types::v1::ProfileType TypeOf(const Labels& labels) {
  const auto get = [&](std::string_view name) { return std::string(labels.Get(name)); };
  types::v1::ProfileType type;
  type.set_id(get("__profile_type__"));
  type.set_name(get("__name__"));
  type.set_sample_type(get("__type__"));
  type.set_sample_unit(get("__unit__"));
  type.set_period_type(get("__period_type__"));
  type.set_period_unit(get("__period_unit__"));
  return type;
}

// Refuses malformed IDs. Returns whether the request asks for single spans, traces or profiles:
// none is known by its ID here, so nothing matches.
template <typename Request>
absl::StatusOr<bool> AsksForIds(const Request& request) {
  STOKER_RETURN_IF_ERROR(CheckProfileIds(request.profile_id_selector()));
  STOKER_RETURN_IF_ERROR(CheckTraceIds(request.trace_id_selector()));
  bool asks = !request.profile_id_selector().empty() || !request.trace_id_selector().empty();
  if constexpr (requires { request.span_selector(); }) {
    STOKER_RETURN_IF_ERROR(CheckSpanIds(request.span_selector()));
    asks = asks || !request.span_selector().empty();
  }
  return asks;
}

std::vector<std::string> CallSite(const types::v1::StackTraceSelector& selector) {
  std::vector<std::string> names;
  for (const types::v1::Location& location : selector.call_site()) names.push_back(location.name());
  return names;
}

// Exemplars must be of what the heatmap counts.
absl::Status CheckHeatmapTypes(const querier::v1::SelectHeatmapRequest& request) {
  const bool individual = request.query_type() == querier::v1::HEATMAP_QUERY_TYPE_INDIVIDUAL;
  const bool span = request.query_type() == querier::v1::HEATMAP_QUERY_TYPE_SPAN;
  if (!individual && !span) return InvalidArgument("valid heatmap query type must be specified");
  if (request.exemplar_type() == types::v1::EXEMPLAR_TYPE_INDIVIDUAL && !individual) {
    return InvalidArgument("individual exemplars only available for individual query type");
  }
  if (request.exemplar_type() == types::v1::EXEMPLAR_TYPE_SPAN && !span) {
    return InvalidArgument("span exemplars only available for span query type");
  }
  return absl::OkStatus();
}

// The call for a pprof that a call for the format PPROF means.
querier::v1::SelectMergeProfileRequest PprofRequest(
    const querier::v1::SelectMergeStacktracesRequest& request) {
  querier::v1::SelectMergeProfileRequest pprof;
  pprof.set_profile_typeid(request.profile_typeid());
  pprof.set_label_selector(request.label_selector());
  pprof.set_start(request.start());
  pprof.set_end(request.end());
  pprof.set_max_nodes(request.max_nodes());
  *pprof.mutable_stack_trace_selector() = request.stack_trace_selector();
  *pprof.mutable_profile_id_selector() = request.profile_id_selector();
  *pprof.mutable_trace_id_selector() = request.trace_id_selector();
  return pprof;
}

}  // namespace

absl::StatusOr<querier::v1::ProfileTypesResponse> Querier::ProfileTypes(
    const querier::v1::ProfileTypesRequest& request) const {
  std::int64_t start = request.start();
  std::int64_t end = request.end();
  if (start == 0 && end == 0) {
    end = absl::ToUnixMillis(clock_.Now());
    start = end - absl::ToInt64Milliseconds(absl::Hours(1));
  }
  STOKER_ASSIGN_OR_RETURN(const TimeRange range, CheckRange(start, end));
  const Query query(storage_, range);
  STOKER_ASSIGN_OR_RETURN(const SeriesSet series, query.Series(Selector()));
  std::map<std::string, types::v1::ProfileType> by_id;
  for (const SeriesId id : series) {
    types::v1::ProfileType type = TypeOf(*query.LabelsOf(id));
    std::string key = type.id();
    by_id.emplace(std::move(key), std::move(type));
  }
  querier::v1::ProfileTypesResponse response;
  for (auto& [id, type] : by_id) *response.add_profile_types() = std::move(type);
  return response;
}

absl::StatusOr<types::v1::LabelValuesResponse> Querier::LabelValues(
    const types::v1::LabelValuesRequest& request) const {
  if (request.name().empty()) return InvalidArgument("name is required");
  STOKER_ASSIGN_OR_RETURN(const TimeRange range, CheckRange(request.start(), request.end()));
  STOKER_ASSIGN_OR_RETURN(const Selector selector, CheckMatchers(request.matchers()));
  const Query query(storage_, range);
  STOKER_ASSIGN_OR_RETURN(const SeriesSet series, query.Series(selector));
  std::set<std::string> values;
  for (const SeriesId id : series) {
    const auto labels = query.LabelsOf(id);
    if (labels->Has(request.name())) values.emplace(labels->Get(request.name()));
  }
  types::v1::LabelValuesResponse response;
  for (const std::string& value : values) response.add_names(value);
  return response;
}

absl::StatusOr<types::v1::LabelNamesResponse> Querier::LabelNames(
    const types::v1::LabelNamesRequest& request, bool utf8_names) const {
  STOKER_ASSIGN_OR_RETURN(const TimeRange range, CheckRange(request.start(), request.end()));
  STOKER_ASSIGN_OR_RETURN(const Selector selector, CheckMatchers(request.matchers()));
  const Query query(storage_, range);
  STOKER_ASSIGN_OR_RETURN(const SeriesSet series, query.Series(selector));
  std::set<std::string> names;
  for (const SeriesId id : series) {
    const auto labels = query.LabelsOf(id);
    for (const LabelView label : *labels) {
      if (utf8_names || IsClassicName(label.name)) names.emplace(label.name);
    }
  }
  types::v1::LabelNamesResponse response;
  for (const std::string& name : names) response.add_names(name);
  return response;
}

absl::StatusOr<querier::v1::SeriesResponse> Querier::Series(
    const querier::v1::SeriesRequest& request, bool utf8_names) const {
  STOKER_ASSIGN_OR_RETURN(const TimeRange range, CheckRange(request.start(), request.end()));
  STOKER_ASSIGN_OR_RETURN(const Selector selector, CheckMatchers(request.matchers()));
  const Query query(storage_, range);
  STOKER_ASSIGN_OR_RETURN(const SeriesSet series, query.Series(selector));
  const std::set<std::string, std::less<>> asked(request.label_names().begin(),
                                                 request.label_names().end());
  std::set<Labels> sets;
  for (const SeriesId id : series) {
    std::vector<Label> kept;
    const auto labels = query.LabelsOf(id);
    for (const LabelView label : *labels) {
      if (!asked.empty() && !asked.contains(label.name)) continue;
      if (utf8_names || IsClassicName(label.name)) kept.emplace_back(label);
    }
    if (!kept.empty()) sets.emplace(std::move(kept));
  }
  querier::v1::SeriesResponse response;
  for (const Labels& labels : sets) {
    AddPairs(labels, *response.add_labels_set()->mutable_labels());
  }
  return response;
}

absl::StatusOr<std::int64_t> Querier::StepOf(std::int64_t start_ms, std::int64_t end_ms,
                                             double seconds) const {
  STOKER_ASSIGN_OR_RETURN(const std::int64_t step, CheckStep(seconds));
  // In floating point: the range of two int64 does not fit one.
  const double points =
      (static_cast<double>(end_ms) - static_cast<double>(start_ms)) / static_cast<double>(step);
  if (points <= static_cast<double>(storage_.limits().max_points)) return step;
  return InvalidArgument("more than {} points: choose a larger step", storage_.limits().max_points);
}

absl::StatusOr<std::int64_t> Querier::MaxNodes(std::int64_t asked) const {
  const Limits& limits = storage_.limits();
  if (asked == 0) return limits.default_flame_graph_nodes;
  if (asked > limits.max_flame_graph_nodes) {
    return InvalidArgument("max flamegraph nodes limit {} is greater than allowed {}", asked,
                           limits.max_flame_graph_nodes);
  }
  if (asked < 0) {
    return InvalidArgument("max flamegraph nodes limit must be set (max allowed {})",
                           limits.max_flame_graph_nodes);
  }
  return asked;
}

absl::StatusOr<Tree> Querier::MergeTree(const querier::v1::SelectMergeStacktracesRequest& request,
                                        std::int64_t& max_nodes) const {
  STOKER_ASSIGN_OR_RETURN(const Selector selector,
                          CheckSelector(request.profile_typeid(), request.label_selector()));
  STOKER_ASSIGN_OR_RETURN(const TimeRange range, CheckRange(request.start(), request.end()));
  STOKER_ASSIGN_OR_RETURN(max_nodes, MaxNodes(request.max_nodes()));
  STOKER_ASSIGN_OR_RETURN(const bool asks_for_ids, AsksForIds(request));
  const Query query(storage_, range, names_);
  SeriesSet series;
  if (!asks_for_ids) {
    STOKER_ASSIGN_OR_RETURN(series, query.Series(selector));
  }
  return query.MergeTree(series, CallSite(request.stack_trace_selector()));
}

absl::StatusOr<std::string> Querier::MergePprof(
    const querier::v1::SelectMergeProfileRequest& request) const {
  STOKER_ASSIGN_OR_RETURN(const Selector selector,
                          CheckSelector(request.profile_typeid(), request.label_selector()));
  STOKER_ASSIGN_OR_RETURN(const TimeRange range, CheckRange(request.start(), request.end()));
  STOKER_ASSIGN_OR_RETURN(const ProfileType type, ParseProfileType(request.profile_typeid()));
  // Unlike a flame graph, a pprof is whole unless the caller asks for less.
  if (request.max_nodes() != 0) STOKER_RETURN_IF_ERROR(MaxNodes(request.max_nodes()).status());
  STOKER_ASSIGN_OR_RETURN(const bool asks_for_ids, AsksForIds(request));
  const Query query(storage_, range, names_);
  SeriesSet series;
  if (!asks_for_ids) {
    STOKER_ASSIGN_OR_RETURN(series, query.Series(selector));
  }
  PprofSum sum({.call_site = CallSite(request.stack_trace_selector()),
                .keep_locations = request.stack_trace_selector().go_pgo().keep_locations(),
                .aggregate_callees = request.stack_trace_selector().go_pgo().aggregate_callees()});
  STOKER_RETURN_IF_ERROR(query.ForEachSum(
      series,
      [&](const Symbols& symbols, std::span<const std::int64_t> sums) { sum.Add(symbols, sums); }));
  return std::move(sum).Finish(type, range.end, request.max_nodes());
}

absl::StatusOr<querier::v1::SelectMergeStacktracesResponse> Querier::SelectMergeStacktraces(
    const querier::v1::SelectMergeStacktracesRequest& request) const {
  if (!request.span_selector().empty() && !request.trace_id_selector().empty()) {
    return InvalidArgument("span_selector and trace_id_selector cannot be used together");
  }
  if (request.async().type() == querier::v1::ASYNC_QUERY_TYPE_FORCE ||
      !request.async().request_id().empty()) {
    return Error(absl::StatusCode::kUnimplemented, "async queries are not enabled");
  }
  querier::v1::SelectMergeStacktracesResponse response;
  if (request.format() == querier::v1::PROFILE_FORMAT_PPROF) {
    STOKER_ASSIGN_OR_RETURN(*response.mutable_pprof()->mutable_profile(),
                            SelectMergeProfile(PprofRequest(request)));
    return response;
  }
  std::int64_t max_nodes = 0;
  STOKER_ASSIGN_OR_RETURN(const Tree tree, MergeTree(request, max_nodes));
  if (request.format() == querier::v1::PROFILE_FORMAT_TREE) {
    response.set_tree(EncodeTree(tree, max_nodes));
  } else if (request.format() == querier::v1::PROFILE_FORMAT_DOT) {
    STOKER_ASSIGN_OR_RETURN(const ProfileType type, ParseProfileType(request.profile_typeid()));
    response.set_dot(EncodeDot(tree, type.sample_type, type.sample_unit, request.max_nodes()));
  } else {
    *response.mutable_flamegraph() = EncodeFlameGraph(tree, max_nodes);
  }
  return response;
}

absl::StatusOr<querier::v1::SelectMergeSpanProfileResponse> Querier::SelectMergeSpanProfile(
    const querier::v1::SelectMergeSpanProfileRequest& request) const {
  querier::v1::SelectMergeStacktracesRequest merge;
  merge.set_profile_typeid(request.profile_typeid());
  merge.set_label_selector(request.label_selector());
  *merge.mutable_span_selector() = request.span_selector();
  merge.set_start(request.start());
  merge.set_end(request.end());
  merge.set_max_nodes(request.max_nodes());
  // The others have no place in its answer.
  if (request.format() == querier::v1::PROFILE_FORMAT_TREE) merge.set_format(request.format());
  STOKER_ASSIGN_OR_RETURN(auto merged, SelectMergeStacktraces(merge));
  querier::v1::SelectMergeSpanProfileResponse response;
  if (merged.has_flamegraph()) response.mutable_flamegraph()->Swap(merged.mutable_flamegraph());
  response.set_tree(std::move(*merged.mutable_tree()));
  return response;
}

absl::StatusOr<google::v1::Profile> Querier::SelectMergeProfile(
    const querier::v1::SelectMergeProfileRequest& request) const {
  STOKER_ASSIGN_OR_RETURN(const std::string pprof, MergePprof(request));
  google::v1::Profile profile;
  if (!profile.ParseFromString(pprof)) return Internal("merged profile is no pprof");
  return profile;
}

absl::StatusOr<querier::v1::SelectSeriesResponse> Querier::SelectSeries(
    const querier::v1::SelectSeriesRequest& request) const {
  STOKER_ASSIGN_OR_RETURN(const Selector selector,
                          CheckSelector(request.profile_typeid(), request.label_selector()));
  if (request.exemplar_type() == types::v1::EXEMPLAR_TYPE_SPAN) {
    return Error(absl::StatusCode::kUnimplemented, "span exemplars are not supported");
  }
  STOKER_RETURN_IF_ERROR(CheckRange(request.start(), request.end()).status());
  STOKER_ASSIGN_OR_RETURN(const std::int64_t step,
                          StepOf(request.start(), request.end(), request.step()));
  STOKER_ASSIGN_OR_RETURN(const TimeRange range,
                          CheckRange(request.start() - step, request.end() + 1));
  const Query query(storage_, range);
  STOKER_ASSIGN_OR_RETURN(const SeriesSet series, query.Series(selector));
  const std::vector<std::string> group_by(request.group_by().begin(), request.group_by().end());
  STOKER_ASSIGN_OR_RETURN(const Timeline timeline, MakeTimeline(query, series, request.start(),
                                                                request.end(), step, group_by));
  querier::v1::SelectSeriesResponse response;
  for (const Timeline::Line& line : timeline.lines) {
    if (request.limit() > 0 && response.series_size() >= request.limit()) break;
    types::v1::Series* const out = response.add_series();
    AddPairs(line.labels, *out->mutable_labels());
    for (const auto& [time, value] : line.points) {
      types::v1::Point* const point = out->add_points();
      point->set_timestamp(time);
      point->set_value(value);
    }
  }
  return response;
}

absl::StatusOr<querier::v1::SelectHeatmapResponse> Querier::SelectHeatmap(
    const querier::v1::SelectHeatmapRequest& request) const {
  STOKER_ASSIGN_OR_RETURN(const Selector selector,
                          CheckSelector(request.profile_typeid(), request.label_selector()));
  STOKER_RETURN_IF_ERROR(CheckRange(request.start(), request.end()).status());
  if (request.start() == request.end()) return InvalidArgument("start must be before end");
  if (request.limit() < 0) return InvalidArgument("limit must not be negative");
  STOKER_RETURN_IF_ERROR(CheckHeatmapTypes(request));
  STOKER_ASSIGN_OR_RETURN(const std::int64_t step,
                          StepOf(request.start(), request.end(), request.step()));
  STOKER_ASSIGN_OR_RETURN(const TimeRange range, CheckRange(request.start(), request.end() + 1));
  // Spans are not stored.
  if (request.query_type() == querier::v1::HEATMAP_QUERY_TYPE_SPAN) {
    return querier::v1::SelectHeatmapResponse();
  }
  const Query query(storage_, range);
  STOKER_ASSIGN_OR_RETURN(const SeriesSet series, query.Series(selector));
  const std::vector<std::string> group_by(request.group_by().begin(), request.group_by().end());
  return MakeHeatmap(query, series, request.start(), request.end(), step, group_by,
                     request.limit());
}

absl::StatusOr<querier::v1::DiffResponse> Querier::Diff(
    const querier::v1::DiffRequest& request) const {
  std::int64_t left_nodes = 0;
  std::int64_t right_nodes = 0;
  STOKER_ASSIGN_OR_RETURN(const Tree left, MergeTree(request.left(), left_nodes));
  STOKER_ASSIGN_OR_RETURN(const Tree right, MergeTree(request.right(), right_nodes));
  querier::v1::DiffResponse response;
  *response.mutable_flamegraph() = EncodeDiff(left, right, std::max(left_nodes, right_nodes));
  return response;
}

absl::StatusOr<types::v1::GetProfileStatsResponse> Querier::GetProfileStats(
    const types::v1::GetProfileStatsRequest&) const {
  TimeBounds bounds;
  for (const auto& part : storage_.Parts()) {
    const TimeBounds of_part = part->bounds();
    bounds.min = std::min(bounds.min, of_part.min);
    bounds.max = std::max(bounds.max, of_part.max);
  }
  types::v1::GetProfileStatsResponse response;
  response.set_data_ingested(bounds.min <= bounds.max);
  if (response.data_ingested()) {
    response.set_oldest_profile_time(bounds.min / 1'000'000);
    response.set_newest_profile_time(bounds.max / 1'000'000);
  }
  return response;
}

absl::StatusOr<querier::v1::AnalyzeQueryResponse> Querier::AnalyzeQuery(
    const querier::v1::AnalyzeQueryRequest&) const {
  return querier::v1::AnalyzeQueryResponse();
}

}  // namespace stoker::store
