#include "services/store/legacy_api.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "services/common/base/status.h"
#include "services/common/http/connect.h"
#include "services/store/attime.h"
#include "services/store/profile_type.h"
#include "services/store/query_parameters.h"
#include "services/store/selector.h"

namespace stoker::store {
namespace {

using nlohmann::json;

// A range of whole milliseconds.
struct Range {
  std::int64_t start = 0;
  std::int64_t end = 0;
};

// `<profile type>{matchers}` in the two halves that the API takes.
struct Halves {
  std::string profile_type;
  std::string label_selector;
};

http::Response ErrorOf(const absl::Status& status) {
  const bool callers = status.code() == absl::StatusCode::kInvalidArgument;
  http::Response response = http::ErrorResponse(
      callers ? 400 : 500, callers ? "invalid_argument" : "unknown", Message(status));
  response.headers.Set("X-Content-Type-Options", "nosniff");
  return response;
}

http::Response JsonResponse(const absl::StatusOr<json>& body) {
  if (!body.ok()) return ErrorOf(body.status());
  return http::Json(200, body->dump(-1, ' ', false, json::error_handler_t::replace));
}

// The step of the timeline for a range, as Pyroscope chooses it.
std::int64_t TimelineStepSeconds(std::int64_t range_seconds) {
  constexpr std::int64_t kPoints = 1'500;
  const double interval = static_cast<double>(range_seconds) / kPoints;
  const std::pair<double, std::int64_t> steps[] = {
      {17.5, 15},          {25, 20},         {45, 30},         {90, 60},
      {210, 120},          {450, 300},       {750, 600},       {1'050, 900},
      {1'500, 1'200},      {2'700, 1'800},   {5'400, 3'600},   {9'000, 7'200},
      {16'200, 10'800},    {32'400, 21'600}, {86'400, 43'200}, {604'800, 86'400},
      {1'814'400, 604'800}};
  for (const auto& [bound, step] : steps) {
    if (interval <= bound) return step;
  }
  return interval < 3'628'800 ? 2'592'000 : 31'536'000;
}

absl::StatusOr<Range> RangeOf(const std::string& from, const std::string& until, absl::Time now) {
  const Range range = {.start = absl::ToUnixMillis(ParseAttime(from, now)),
                       .end = absl::ToUnixMillis(ParseAttime(until, now))};
  if (range.start == 0 || range.end == 0) {
    return InvalidArgument("missing time range in the query");
  }
  if (range.start > range.end) return InvalidArgument("query start time is after end time");
  return range;
}

// A selector in text again, for the calls that take one.
std::string Print(const std::vector<Matcher>& matchers) {
  const char* const operators[] = {"=", "!=", "=~", "!~"};
  std::string text = "{";
  for (const Matcher& matcher : matchers) {
    if (text.size() > 1) text += ',';
    text += json(matcher.name()).dump() + operators[static_cast<int>(matcher.type())] +
            json(matcher.value()).dump();
  }
  return text + "}";
}

// The type that a query without one means: the only one there is, else process_cpu's.
absl::StatusOr<std::string> DefaultType(const Querier& querier, const Range& range) {
  querier::v1::ProfileTypesRequest request;
  request.set_start(range.start);
  request.set_end(range.end);
  STOKER_ASSIGN_OR_RETURN(const auto types, querier.ProfileTypes(request));
  if (types.profile_types_size() == 1) return types.profile_types(0).id();
  std::string names;
  for (const types::v1::ProfileType& type : types.profile_types()) {
    if (type.name() == "process_cpu") return type.id();
    names += (names.empty() ? "" : ", ") + type.id();
  }
  if (names.empty()) names = "none is stored in this time range";
  return InvalidArgument("query must name a profile type: {}", names);
}

absl::StatusOr<Halves> Split(const Querier& querier, const std::string& query, const Range& range) {
  if (query.empty()) return InvalidArgument("query is required");
  STOKER_ASSIGN_OR_RETURN(const Selector selector, ParseSelector(query));
  Halves halves;
  std::vector<Matcher> others;
  for (const Matcher& matcher : selector.matchers()) {
    const bool names_type =
        matcher.type() == Matcher::Type::kEqual &&
        (matcher.name() == "__profile_type__" ||
         (matcher.name() == "__name__" && matcher.value().find(':') != std::string::npos));
    if (names_type) {
      halves.profile_type = matcher.value();
    } else {
      others.push_back(matcher);
    }
  }
  halves.label_selector = Print(others);
  if (halves.profile_type.empty()) {
    STOKER_ASSIGN_OR_RETURN(halves.profile_type, DefaultType(querier, range));
  }
  return halves;
}

std::int64_t MaxNodes(const QueryParameters& parameters) {
  for (const char* const name : {"maxNodes", "max-nodes"}) {
    const std::string text = parameters.Get(name);
    std::int64_t number = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), number).ec == std::errc()) {
      return number;
    }
  }
  return 0;
}

json Flamebearer(const auto& graph) {
  json names = json::array();
  for (const std::string& name : graph.names()) names.push_back(name);
  json levels = json::array();
  for (const querier::v1::Level& level : graph.levels()) {
    levels.push_back(std::vector<std::int64_t>(level.values().begin(), level.values().end()));
  }
  return {{"names", std::move(names)},
          {"levels", std::move(levels)},
          {"numTicks", graph.total()},
          {"maxSelf", graph.max_self()}};
}

absl::StatusOr<json> Metadata(const std::string& profile_type, const char* format) {
  STOKER_ASSIGN_OR_RETURN(const ProfileType type, ParseProfileType(profile_type));
  std::string units = type.sample_unit;
  std::int64_t sample_rate = 100;
  const std::string objects[] = {"inuse_objects", "alloc_objects", "goroutine", "goroutines",
                                 "samples"};
  if (std::ranges::find(objects, type.sample_type) != std::end(objects)) {
    units = "objects";
  } else if (type.sample_type == "cpu") {
    units = "samples";
    sample_rate = 1'000'000'000;
  }
  return json{{"format", format},
              {"spyName", ""},
              {"sampleRate", sample_rate},
              {"units", units},
              {"name", type.sample_type}};
}

std::vector<std::uint64_t> Samples(const types::v1::Series& series, std::int64_t start,
                                   std::int64_t step, std::size_t count) {
  std::vector<std::uint64_t> samples(count);
  for (const types::v1::Point& point : series.points()) {
    const std::int64_t index = (point.timestamp() / 1'000 - start) / step;
    if (point.timestamp() / 1'000 < start || index >= static_cast<std::int64_t>(count)) continue;
    samples[static_cast<std::size_t>(index)] += static_cast<std::uint64_t>(point.value());
  }
  return samples;
}

json Line(std::vector<std::uint64_t> samples, std::int64_t start, std::int64_t step) {
  return {{"startTime", start},
          {"samples", std::move(samples)},
          {"durationDelta", step},
          {"watermarks", nullptr}};
}

// The timeline, and with `group_by` one for each of its values.
absl::Status AddTimelines(const Querier& querier, const Halves& halves, const Range& range,
                          const std::string& group_by, json& out) {
  const std::int64_t step = TimelineStepSeconds((range.end - range.start) / 1'000);
  const std::int64_t start = range.start / 1'000 / step * step;
  const std::int64_t end = range.end / 1'000 / step * step;
  const auto count = static_cast<std::size_t>(std::max<std::int64_t>((end - start) / step, 0));
  querier::v1::SelectSeriesRequest request;
  request.set_profile_typeid(halves.profile_type);
  request.set_label_selector(halves.label_selector);
  request.set_start(start * 1'000);
  request.set_end(range.end);
  request.set_step(static_cast<double>(step));
  if (!group_by.empty()) request.add_group_by(group_by);
  STOKER_ASSIGN_OR_RETURN(const auto series, querier.SelectSeries(request));
  std::vector<std::uint64_t> total(count);
  json groups = group_by.empty() ? json(nullptr) : json::object();
  for (const types::v1::Series& one : series.series()) {
    std::vector<std::uint64_t> samples = Samples(one, start, step, count);
    if (series.series_size() == 1) total = samples;
    if (group_by.empty()) continue;
    const std::string name = one.labels().empty() ? "*" : one.labels(0).value();
    groups[name] = Line(std::move(samples), start, step);
  }
  out["timeline"] = Line(std::move(total), start, step);
  out["groups"] = std::move(groups);
  return absl::OkStatus();
}

querier::v1::SelectMergeStacktracesRequest MergeRequest(const Halves& halves, const Range& range,
                                                        std::int64_t max_nodes) {
  querier::v1::SelectMergeStacktracesRequest request;
  request.set_profile_typeid(halves.profile_type);
  request.set_label_selector(halves.label_selector);
  request.set_start(range.start);
  request.set_end(range.end);
  request.set_max_nodes(max_nodes);
  return request;
}

absl::StatusOr<json> RenderJson(const Querier& querier, const QueryParameters& parameters,
                                absl::Time now) {
  STOKER_ASSIGN_OR_RETURN(const Range range,
                          RangeOf(parameters.Get("from"), parameters.Get("until"), now));
  STOKER_ASSIGN_OR_RETURN(const Halves halves, Split(querier, parameters.Get("query"), range));
  STOKER_ASSIGN_OR_RETURN(const auto merged, querier.SelectMergeStacktraces(MergeRequest(
                                                 halves, range, MaxNodes(parameters))));
  json out = {
      {"version", 1}, {"flamebearer", Flamebearer(merged.flamegraph())}, {"heatmap", nullptr}};
  STOKER_ASSIGN_OR_RETURN(out["metadata"], Metadata(halves.profile_type, "single"));
  STOKER_RETURN_IF_ERROR(AddTimelines(querier, halves, range, parameters.Get("groupBy"), out));
  return out;
}

// The merged stacks as a graph in Graphviz' language; "" when there are none.
absl::StatusOr<std::string> RenderDot(const Querier& querier, const QueryParameters& parameters,
                                      absl::Time now) {
  STOKER_ASSIGN_OR_RETURN(const Range range,
                          RangeOf(parameters.Get("from"), parameters.Get("until"), now));
  STOKER_ASSIGN_OR_RETURN(const Halves halves, Split(querier, parameters.Get("query"), range));
  auto request = MergeRequest(halves, range, MaxNodes(parameters));
  request.set_format(querier::v1::PROFILE_FORMAT_DOT);
  STOKER_ASSIGN_OR_RETURN(const auto merged, querier.SelectMergeStacktraces(request));
  return merged.dot();
}

absl::StatusOr<json> RenderDiffJson(const Querier& querier, const QueryParameters& parameters,
                                    absl::Time now) {
  querier::v1::DiffRequest request;
  std::string type;
  for (const std::string side : {"left", "right"}) {
    STOKER_ASSIGN_OR_RETURN(const Range range, RangeOf(parameters.Get(side + "From"),
                                                       parameters.Get(side + "Until"), now));
    STOKER_ASSIGN_OR_RETURN(const Halves halves,
                            Split(querier, parameters.Get(side + "Query"), range));
    if (!type.empty() && type != halves.profile_type) {
      return InvalidArgument("profile types must match");
    }
    type = halves.profile_type;
    *(side == "left" ? request.mutable_left() : request.mutable_right()) =
        MergeRequest(halves, range, MaxNodes(parameters));
  }
  STOKER_ASSIGN_OR_RETURN(const auto diff, querier.Diff(request));
  json out = {{"version", 1},
              {"flamebearer", Flamebearer(diff.flamegraph())},
              {"timeline", nullptr},
              {"groups", nullptr},
              {"heatmap", nullptr},
              {"leftTicks", diff.flamegraph().leftticks()},
              {"rightTicks", diff.flamegraph().rightticks()}};
  STOKER_ASSIGN_OR_RETURN(out["metadata"], Metadata(type, "double"));
  return out;
}

absl::StatusOr<json> LabelValuesJson(const Querier& querier, const QueryParameters& parameters,
                                     absl::Time now) {
  const std::string label = parameters.Get("label");
  if (label.empty()) return InvalidArgument("label parameter is required");
  const std::string from = parameters.Get("from");
  STOKER_ASSIGN_OR_RETURN(const Range range,
                          RangeOf(from.empty() ? "now-1h" : from, parameters.Get("until"), now));
  json values = json::array();
  if (label == "__name__") {
    querier::v1::ProfileTypesRequest request;
    request.set_start(range.start);
    request.set_end(range.end);
    STOKER_ASSIGN_OR_RETURN(const auto types, querier.ProfileTypes(request));
    for (const types::v1::ProfileType& type : types.profile_types()) values.push_back(type.id());
    return values;
  }
  types::v1::LabelValuesRequest request;
  request.set_name(label);
  request.set_start(range.start);
  request.set_end(range.end);
  STOKER_ASSIGN_OR_RETURN(const auto names, querier.LabelValues(request));
  for (const std::string& name : names.names()) values.push_back(name);
  return values;
}

}  // namespace

http::Response LegacyApi::Render(const http::Request& request) const {
  const QueryParameters parameters(request.query);
  if (parameters.Get("format") == "dot") {
    auto dot = RenderDot(querier_, parameters, clock_.Now());
    return dot.ok() ? http::Text(200, *std::move(dot)) : ErrorOf(dot.status());
  }
  return JsonResponse(RenderJson(querier_, parameters, clock_.Now()));
}

http::Response LegacyApi::RenderDiff(const http::Request& request) const {
  return JsonResponse(RenderDiffJson(querier_, QueryParameters(request.query), clock_.Now()));
}

http::Response LegacyApi::LabelValues(const http::Request& request) const {
  return JsonResponse(LabelValuesJson(querier_, QueryParameters(request.query), clock_.Now()));
}

}  // namespace stoker::store
