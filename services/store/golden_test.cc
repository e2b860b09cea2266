#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include "services/common/pprof/profile_builder.h"
#include "services/store/store_fixture.h"

namespace stoker::store {
namespace {

constexpr char kGolden[] = "services/store/testdata/requests.golden";
// What @cpu, @start and @end stand for in the requests.
constexpr char kCpu[] = "process_cpu:cpu:nanoseconds:cpu:nanoseconds";
constexpr std::int64_t kStartMs = 1'700'000'000'000;
constexpr std::int64_t kEndMs = kStartMs + 60'000;

// A request of a client, in JSON; `proto` has it sent and answered in binary.
struct Case {
  const char* name;
  const char* path;
  const char* body;
  bool proto = false;
  const char* accept = "";
};

// What Grafana's data source sends (proto) and what its Drilldown app and the bundled page send
// (JSON), with the formats and selectors that they know (pyroscope.md 3.8).
constexpr Case kPosts[] = {
    {"data source: health check", "/querier.v1.QuerierService/ProfileTypes",
     R"({"start":1000,"end":4000})", true},
    {"data source: profile types", "/querier.v1.QuerierService/ProfileTypes",
     R"({"start":@start,"end":@end})", true, "*/*;allow-utf8-labelnames=true"},
    {"data source: label names", "/querier.v1.QuerierService/LabelNames",
     R"({"matchers":["{service_name=\"web\"}"],"start":@start,"end":@end})", true,
     "*/*;allow-utf8-labelnames=true"},
    {"older data source: label names", "/querier.v1.QuerierService/LabelNames",
     R"({"matchers":["{}"],"start":@start,"end":@end})", true},
    {"data source: label values", "/querier.v1.QuerierService/LabelValues",
     R"({"name":"instance","matchers":["{service_name=\"web\"}"],"start":@start,"end":@end})",
     true},
    {"data source: metrics panel", "/querier.v1.QuerierService/SelectSeries",
     R"({"profileTypeID":"@cpu","labelSelector":"{}","start":@start,"end":@end,"step":15,)"
     R"("groupBy":["service_name"],"limit":10,"exemplarType":"EXEMPLAR_TYPE_NONE"})",
     true},
    {"data source: metrics panel with exemplars", "/querier.v1.QuerierService/SelectSeries",
     R"({"profileTypeID":"@cpu","labelSelector":"{service_name=\"web\"}","start":@start,)"
     R"("end":@end,"step":20,"exemplarType":"EXEMPLAR_TYPE_INDIVIDUAL"})",
     true},
    {"data source: profile panel", "/querier.v1.QuerierService/SelectMergeStacktraces",
     R"({"profileTypeID":"@cpu","labelSelector":"{}","start":@start,"end":@end})", true},
    {"data source: profile panel, few nodes", "/querier.v1.QuerierService/SelectMergeStacktraces",
     R"({"profileTypeID":"@cpu","labelSelector":"{service_name=\"web\"}","start":@start,)"
     R"("end":@end,"maxNodes":2})",
     true},
    {"data source: one profile by its ID", "/querier.v1.QuerierService/SelectMergeStacktraces",
     R"({"profileTypeID":"@cpu","labelSelector":"{}","start":@start,"end":@end,)"
     R"("profileIdSelector":["7c9e6679-7425-40de-944b-e07fc1f90ae7"]})",
     true},
    {"data source: span", "/querier.v1.QuerierService/SelectMergeSpanProfile",
     R"({"profileTypeID":"@cpu","labelSelector":"{}","spanSelector":["9a517183f26a089d"],)"
     R"("start":@start,"end":@end})",
     true},
    {"data source: heatmap", "/querier.v1.QuerierService/SelectHeatmap",
     R"({"profileTypeID":"@cpu","labelSelector":"{}","start":@start,"end":@end,"step":30,)"
     R"("groupBy":["service_name"],"queryType":"HEATMAP_QUERY_TYPE_INDIVIDUAL",)"
     R"("exemplarType":"EXEMPLAR_TYPE_NONE"})",
     true},
    {"data source: heatmap of spans", "/querier.v1.QuerierService/SelectHeatmap",
     R"({"profileTypeID":"@cpu","labelSelector":"{}","start":@start,"end":@end,"step":30,)"
     R"("queryType":"HEATMAP_QUERY_TYPE_SPAN","exemplarType":"EXEMPLAR_TYPE_SPAN"})",
     true},
    {"Drilldown: services", "/querier.v1.QuerierService/Series",
     R"({"start":@start,"end":@end,"labelNames":["service_name","__profile_type__"],)"
     R"("matchers":[]})"},
    {"Drilldown: label names", "/querier.v1.QuerierService/LabelNames",
     R"({"matchers":["{service_name=\"web\"}"],"start":@start,"end":@end})", false,
     "application/json; allow-utf8-labelnames=true"},
    {"Drilldown: label values", "/querier.v1.QuerierService/LabelValues",
     R"({"name":"thread","matchers":["{service_name=\"web\"}"],"start":"@start","end":"@end"})",
     false, "application/json; allow-utf8-labelnames=true"},
    {"Drilldown: profile for download", "/querier.v1.QuerierService/SelectMergeProfile",
     R"({"profileTypeID":"@cpu","labelSelector":"{service_name=\"web\"}","start":@start,)"
     R"("end":@end,"stackTraceSelector":{"callSite":[{"name":"main"},{"name":"serve"}]}})"},
    {"Drilldown: profile for download, binary", "/querier.v1.QuerierService/SelectMergeProfile",
     R"({"profileTypeID":"@cpu","labelSelector":"{service_name=\"native\"}","start":@start,)"
     R"("end":@end})",
     true},
    {"profilecli: profile for Go's optimisation", "/querier.v1.QuerierService/SelectMergeProfile",
     R"({"profileTypeID":"@cpu","labelSelector":"{service_name=\"web\"}","start":@start,)"
     R"("end":@end,"stackTraceSelector":{"goPgo":{"keepLocations":2,"aggregateCallees":true}}})"},
    {"Drilldown: statistics", "/querier.v1.QuerierService/GetProfileStats", "{}"},
    {"Drilldown: diff", "/querier.v1.QuerierService/Diff",
     R"({"left":{"profileTypeID":"@cpu","labelSelector":"{instance=\"a\"}","start":@start,)"
     R"("end":@end},"right":{"profileTypeID":"@cpu","labelSelector":"{instance=\"b\"}",)"
     R"("start":@start,"end":@end}})"},
    {"Drilldown: a filter of frames that this version does not know",
     "/querier.v1.QuerierService/SelectMergeStacktraces",
     R"({"profileTypeID":"@cpu","labelSelector":"{service_name=\"web\"}","start":@start,)"
     R"("end":@end,"stackTraceSelector":{"filter":{"includeFunctionNames":["main"]}}})"},
    {"call site", "/querier.v1.QuerierService/SelectMergeStacktraces",
     R"({"profileTypeID":"@cpu","labelSelector":"{}","start":@start,"end":@end,)"
     R"("stackTraceSelector":{"callSite":[{"name":"main"},{"name":"serve"}]}})"},
    {"format tree", "/querier.v1.QuerierService/SelectMergeStacktraces",
     R"({"profileTypeID":"@cpu","labelSelector":"{service_name=\"web\"}","start":@start,)"
     R"("end":@end,"format":"PROFILE_FORMAT_TREE"})"},
    {"format dot", "/querier.v1.QuerierService/SelectMergeStacktraces",
     R"({"profileTypeID":"@cpu","labelSelector":"{service_name=\"web\"}","start":@start,)"
     R"("end":@end,"format":"PROFILE_FORMAT_DOT"})"},
    {"format pprof", "/querier.v1.QuerierService/SelectMergeStacktraces",
     R"({"profileTypeID":"memory:inuse_space:bytes:space:bytes","labelSelector":"{}",)"
     R"("start":@start,"end":@end,"format":"PROFILE_FORMAT_PPROF"})"},
    {"nothing in the range", "/querier.v1.QuerierService/SelectMergeStacktraces",
     R"({"profileTypeID":"@cpu","labelSelector":"{}","start":1000,"end":4000})"},
    {"all series", "/querier.v1.QuerierService/Series",
     R"({"start":@start,"end":@end,"matchers":["{service_name=\"db\"}"]})", false,
     "application/json; allow-utf8-labelnames=true"},
    {"analysis of a query", "/querier.v1.QuerierService/AnalyzeQuery",
     R"({"start":@start,"end":@end,"query":"{}"})"},
    {"settings: none", "/settings.v1.SettingsService/Get", "{}"},
    {"settings: set", "/settings.v1.SettingsService/Set",
     R"({"setting":{"name":"maxNodes","value":"16384","modifiedAt":"1700000000001"}})"},
    {"settings: older", "/settings.v1.SettingsService/Set",
     R"({"setting":{"name":"maxNodes","value":"1","modifiedAt":"1700000000000"}})"},
    {"settings: one", "/settings.v1.SettingsService/Get", "{}"},
    {"settings: delete", "/settings.v1.SettingsService/Delete", R"({"name":"maxNodes"})"},
    {"feature flags", "/capabilities.v1.FeatureFlagsService/GetFeatureFlags", "{}"},
    {"version", "/version.v1.Version/Version", "{}"},
    {"source code, not offered", "/vcs.v1.VCSService/GithubApp", "{}"},
};

// Paths with their queries.
constexpr const char* kGets[][2] = {
    {"/pyroscope/render",
     "query=process_cpu%3Acpu%3Ananoseconds%3Acpu%3Ananoseconds%7Bservice_name%3D%22web%22%7D"
     "&from=@start&until=@end&groupBy=instance"},
    {"/pyroscope/render", "query=%7B%7D&from=@start&until=@end&max-nodes=3"},
    {"/pyroscope/render",
     "query=memory%3Ainuse_space%3Abytes%3Aspace%3Abytes%7B%7D&from=@start&until=@end"},
    {"/pyroscope/render", "query=%7B%7D&from=@start&until=@end&format=dot"},
    {"/pyroscope/render", "query=%7B%7D&from=1000000&until=1000060&format=dot"},
    {"/pyroscope/render-diff",
     "leftQuery=process_cpu%3Acpu%3Ananoseconds%3Acpu%3Ananoseconds%7Binstance%3D%22a%22%7D"
     "&leftFrom=@start&leftUntil=@end"
     "&rightQuery=process_cpu%3Acpu%3Ananoseconds%3Acpu%3Ananoseconds%7Binstance%3D%22b%22%7D"
     "&rightFrom=@start&rightUntil=@end"},
    {"/pyroscope/label-values", "label=__name__&from=@start&until=@end"},
    {"/pyroscope/label-values", "label=service_name&from=@start&until=@end"},
    {"/ready", ""},
    {"/config", ""},
    {"/ingester/ring", ""},
    {"/api/v1/status/buildinfo", ""},
};

std::string Filled(std::string text) {
  const std::pair<std::string, std::string> values[] = {
      {"@cpu", kCpu}, {"@start", std::to_string(kStartMs)}, {"@end", std::to_string(kEndMs)}};
  for (const auto& [word, value] : values) {
    for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word)) {
      text.replace(at, word.size(), value);
    }
  }
  return text;
}

std::unique_ptr<google::protobuf::Message> NewMessage(const google::protobuf::Descriptor* type) {
  return std::unique_ptr<google::protobuf::Message>(
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(type)->New());
}

// "/querier.v1.QuerierService/Series" is querier.v1.QuerierService.Series.
const google::protobuf::MethodDescriptor* MethodOf(std::string path) {
  path.erase(0, 1);
  path[path.find('/')] = '.';
  return google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(path);
}

std::string Hex(const std::string& bytes) {
  std::string hex;
  for (const char byte : bytes) hex += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return hex;
}

class GoldenTest : public StoreFixture {
 protected:
  using Frames = std::vector<std::string>;

  // Frames of a CPU profile, the root first; "@<path>" is an address of that file without a name.
  struct Stack {
    Frames frames;
    std::int64_t value;
    std::string thread;
  };

  std::string Cpu(const std::vector<Stack>& stacks) {
    pprof::ProfileBuilder builder;
    builder.AddSampleType("cpu", "nanoseconds");
    builder.SetPeriod("cpu", "nanoseconds", 10'000'000);
    builder.SetTime(absl::ToUnixNanos(clock_.Now()), 15'000'000'000);
    const std::uint64_t mapping =
        builder.AddMapping({.filename = "/bin/app", .build_id = "01ab", .has_functions = true});
    for (const Stack& stack : stacks) {
      std::vector<std::uint64_t> locations;
      for (const std::string& frame : stack.frames) {
        locations.insert(locations.begin(), AddFrame(builder, mapping, frame));
      }
      std::vector<pprof::ProfileBuilder::Label> labels;
      if (!stack.thread.empty()) labels.push_back({.key = "thread", .str = stack.thread});
      builder.AddSample(locations, std::vector<std::int64_t>{stack.value}, labels);
    }
    return std::move(builder).FinishGzip();
  }

  static std::uint64_t AddFrame(pprof::ProfileBuilder& builder, std::uint64_t mapping,
                                const std::string& frame) {
    if (frame == "@") return builder.AddLocation(0, 0x77, {});
    if (frame.starts_with("@")) {
      return builder.AddLocation(
          builder.AddMapping({.start = 0x1000, .limit = 0x9000, .filename = frame.substr(1)}),
          0x1234, {});
    }
    const std::uint64_t function = builder.AddFunction({.name = frame, .filename = "app.cc"});
    return builder.AddLocation(mapping, 0, {{function, static_cast<std::int64_t>(frame.size())}});
  }

  std::string Memory() {
    pprof::ProfileBuilder builder;
    builder.AddSampleType("alloc_space", "bytes");
    builder.AddSampleType("inuse_space", "bytes");
    builder.SetPeriod("space", "bytes", 524'288);
    builder.SetTime(absl::ToUnixNanos(clock_.Now()), 0);
    const std::uint64_t mapping = builder.AddMapping({.filename = "/bin/db"});
    const std::uint64_t load = AddFrame(builder, mapping, "load");
    builder.AddSample(std::vector<std::uint64_t>{load}, std::vector<std::int64_t>{4'096, 1'024});
    return std::move(builder).Finish();
  }

  // Four rounds of two instances of "web"; "db" and "native" once.
  void PushAll() {
    for (std::int64_t round = 0; round < 4; ++round) {
      for (const std::string instance : {"a", "b"}) {
        const std::int64_t unit = instance == "a" ? 10'000'000 : 30'000'000;
        ASSERT_EQ(Push({{"__name__", "process_cpu"},
                        {"service_name", "web"},
                        {"instance", instance},
                        {"http.route", "/cart"}},
                       Cpu({{{"main", "serve", "parse"}, unit * (round + 1), "io"},
                            {{"main", "serve"}, unit, ""},
                            {{"main", "serve", "parse", "serve"}, unit * 2, ""},
                            {{"main", "idle"}, unit * 3, ""}})),
                  "ok");
      }
      clock_.Advance(absl::Seconds(15));
    }
    clock_.Advance(absl::Seconds(-10));
    ASSERT_EQ(Push({{"__name__", "memory"}, {"service_name", "db"}}, Memory()), "ok");
    ASSERT_EQ(Push({{"__name__", "process_cpu"}, {"service_name", "native"}},
                   Cpu({{{"main", "@/usr/lib/libc.so.6"}, 40'000'000, ""},
                        {{"@", "@[vdso]"}, 2'000'000, ""}})),
              "ok");
    clock_.Advance(absl::Seconds(10));
  }

  static std::string HeaderOf(const http::Response& response) {
    return fmt::format("{} {}\n", response.status,
                       response.headers.Get("Content-Type").value_or("-"));
  }

  std::string Run(const Case& one) {
    const google::protobuf::MethodDescriptor* const method = MethodOf(one.path);
    const std::string json = Filled(one.body);
    http::Request request = {.method = "POST", .path = one.path, .body = json};
    request.headers.Add("Content-Type", one.proto ? "application/proto" : "application/json");
    if (*one.accept != '\0') request.headers.Add("Accept", one.accept);
    if (one.proto) {
      const auto message = NewMessage(method->input_type());
      EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(json, message.get()).ok()) << json;
      request.body = message->SerializeAsString();
    }
    const http::Response response = router_.Route(request);
    std::string text = fmt::format("== {}\nPOST {} {}\n{}\n-- {}", one.name, one.path,
                                   one.proto ? "proto" : "json", json, HeaderOf(response));
    if (!one.proto) return text + response.body + "\n";
    const auto message = NewMessage(method->output_type());
    EXPECT_TRUE(message->ParseFromString(response.body));
    std::string decoded;
    google::protobuf::TextFormat::PrintToString(*message, &decoded);
    return text + Hex(response.body) + "\n" + decoded;
  }

  std::string Run(const std::string& path, const std::string& query) {
    const http::Response response = Get(path, Filled(query));
    return fmt::format("== GET {}?{}\n-- {}{}\n", path, Filled(query), HeaderOf(response),
                       response.body);
  }
};

// Every request of Grafana's data source, its Drilldown app and the legacy interface gets the
// answer it always got, to the byte. A new text is left among the test's outputs.
TEST_F(GoldenTest, Requests) {
  PushAll();
  std::string text;
  for (const Case& one : kPosts) text += Run(one);
  for (const auto& [path, query] : kGets) text += Run(path, query);
  std::ifstream file(kGolden);
  std::stringstream golden;
  golden << file.rdbuf();
  if (const char* const outputs = std::getenv("TEST_UNDECLARED_OUTPUTS_DIR")) {
    std::ofstream(std::string(outputs) + "/requests.golden") << text;
  }
  EXPECT_EQ(text, golden.str());
}

}  // namespace
}  // namespace stoker::store
