#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "proto/google/v1/profile.pb.h"
#include "services/common/pprof/gzip.h"
#include "services/store/profile_maker.h"
#include "services/store/store_fixture.h"

namespace stoker::store {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using LabelList = std::vector<std::pair<std::string, std::string>>;

constexpr char kPush[] = "/push.v1.PusherService/Push";
constexpr char kJson[] = "application/json";

class BadRequestTest : public StoreFixture {
 protected:
  static LabelList GoodLabels() { return {{"__name__", "process_cpu"}, {"service_name", "app"}}; }

  google::v1::Profile GoodProfile() const {
    google::v1::Profile profile;
    EXPECT_TRUE(profile.ParseFromString(
        MakeProfile(absl::ToUnixNanos(clock_.Now()), {{.names = {"main", "work"}, .value = 7}})));
    return profile;
  }

  // A push over Connect in binary: "<status> <code>: <message>", "200" for success.
  std::string PushOf(const LabelList& labels, const std::string& raw) {
    push::v1::PushRequest request;
    push::v1::RawProfileSeries* const series = request.add_series();
    for (const auto& [name, value] : labels) {
      types::v1::LabelPair* const pair = series->add_labels();
      pair->set_name(name);
      pair->set_value(value);
    }
    series->add_samples()->set_raw_profile(raw);
    return TextOf(Post(kPush, "application/proto", request.SerializeAsString()));
  }

  static std::string TextOf(const http::Response& response) {
    if (response.status == 200) return "200";
    const json body = json::parse(response.body, nullptr, false);
    if (!body.is_object()) return std::to_string(response.status);
    return fmt::format("{} {}: {}", response.status, body.value("code", ""),
                       body.value("message", ""));
  }

  // What is stored in all.
  std::int64_t Total() {
    querier::v1::SelectMergeStacktracesRequest request;
    request.set_profile_typeid("process_cpu:cpu:nanoseconds:cpu:nanoseconds");
    request.set_label_selector("{}");
    request.set_start(1);
    request.set_end(NowMs() + 3'600'000);
    return querier_->SelectMergeStacktraces(request)->flamegraph().total();
  }
};

// Every way a profile can be malformed is refused with 400, its own words and its reason in the
// metrics, and nothing of it is stored.
TEST_F(BadRequestTest, Profiles) {
  struct Case {
    std::function<void(google::v1::Profile&)> damage;
    std::string message;
    std::string reason = "malformed_profile";
  };
  constexpr std::int64_t kOutside = 1'000;
  const Case cases[] = {
      {[](auto& p) { p.clear_sample_type(); }, "empty profile"},
      {[](auto& p) { p.mutable_string_table()->Clear(); }, "string 0 should be empty string"},
      {[](auto& p) { p.set_string_table(0, "x"); }, "string 0 should be empty string"},
      {[](auto& p) {
         p.set_string_table(1, "a-b");
         p.mutable_sample_type(0)->set_type(1);
       },
       "sample type contains -"},
      {[](auto& p) { p.mutable_sample_type(0)->set_type(kOutside); },
       "sample type type string index out of range"},
      {[](auto& p) { p.mutable_sample_type(0)->set_unit(-1); },
       "sample type unit string index out of range"},
      {[](auto& p) { p.mutable_period_type()->set_type(kOutside); },
       "period type type string index out of range"},
      {[](auto& p) { p.mutable_period_type()->set_unit(kOutside); },
       "period type unit string index out of range"},
      {[](auto& p) { p.mutable_sample(0)->add_label()->set_key(kOutside); },
       "sample label string index out of range"},
      {[](auto& p) { p.mutable_function(0)->set_name(kOutside); },
       "function name string index out of range"},
      {[](auto& p) { p.mutable_function(0)->set_system_name(kOutside); },
       "function system name index string out of range"},
      {[](auto& p) { p.mutable_function(0)->set_filename(kOutside); },
       "function file name string index out of range"},
      {[](auto& p) { p.mutable_mapping(0)->set_filename(kOutside); },
       "mapping file name string index out of range"},
      {[](auto& p) { p.mutable_mapping(0)->set_build_id(kOutside); },
       "mapping build id string index out of range"},
      {[](auto& p) { p.mutable_sample(0)->add_value(1); }, "sample value length mismatch"},
      {[](auto& p) { p.mutable_sample(0)->clear_value(); }, "sample value length mismatch"},
      {[](auto& p) { p.mutable_location(0)->set_id(0); }, "location id is 0"},
      {[](auto& p) { p.mutable_function(0)->set_id(0); }, "function id is 0"},
      {[](auto& p) { p.set_time_nanos(1); }, "is outside of ingestion window",
       "not_in_ingestion_window"},
      {[](auto& p) { p.set_time_nanos(p.time_nanos() + 601'000'000'000); },
       "is outside of ingestion window", "not_in_ingestion_window"},
      {[](auto& p) {
         for (int i = 0; i < 200'000; ++i) *p.add_sample() = p.sample(0);
       },
       "exceeds the samples count limit (max_profile_stacktrace_samples, actual: 200001, limit: "
       "200000)",
       "samples_limit"},
      {[](auto& p) {
         for (int i = 0; i < 101; ++i) p.mutable_sample(0)->add_label()->set_num(1);
       },
       "exceeds the sample labels limit (max_profile_stacktrace_sample_labels, actual: 101, "
       "limit: 100)",
       "sample_labels_limit"},
      {[](auto& p) { p.add_string_table(std::string(65 << 20, 's')); }, "exceeds the size limit",
       "profile_size_limit"},
  };
  for (const Case& one : cases) {
    google::v1::Profile profile = GoodProfile();
    one.damage(profile);
    const std::string answer = PushOf(GoodLabels(), profile.SerializeAsString());
    EXPECT_THAT(answer, ::testing::StartsWith("400 invalid_argument: push series with index 0"))
        << one.message;
    EXPECT_THAT(answer, HasSubstr(one.message));
    EXPECT_THAT(registry_.Text(), HasSubstr("reason=\"" + one.reason + "\"")) << one.message;
  }
  // What protobuf's own classes would not write.
  std::string not_utf8 = GoodProfile().SerializeAsString();
  not_utf8.replace(not_utf8.find("work"), 2, "\xff\xfe");
  EXPECT_THAT(PushOf(GoodLabels(), not_utf8), HasSubstr("invalid utf8 string hex: fffe726b"));
  const std::string good = GoodProfile().SerializeAsString();
  EXPECT_THAT(PushOf(GoodLabels(), good.substr(0, good.size() - 1)), HasSubstr("400"));
  EXPECT_THAT(PushOf(GoodLabels(), good + good), HasSubstr("concatenated profiles detected"));
  EXPECT_THAT(PushOf(GoodLabels(), "\x1f\x8b garbage"), HasSubstr("gzip: damaged"));
  EXPECT_THAT(PushOf(GoodLabels(), ""), HasSubstr("empty profile"));
  const std::string bomb = pprof::Gzip(std::string(std::size_t{65} << 20, '\0'), 9);
  EXPECT_LT(bomb.size(), 100'000);
  EXPECT_THAT(PushOf(GoodLabels(), bomb),
              HasSubstr("uncompressed profile payload size exceeds limit of 67.1 MB"));
  EXPECT_EQ(Total(), 0);
  EXPECT_EQ(PushOf(GoodLabels(), good), "200");
  EXPECT_EQ(Total(), 7);
}

// Labels that Pyroscope refuses are refused here, in its words.
TEST_F(BadRequestTest, Labels) {
  LabelList many = GoodLabels();
  for (int i = 0; i < 29; ++i) many.emplace_back("label" + std::to_string(i), "x");
  const std::pair<LabelList, std::string> cases[] = {
      {{}, "error at least one label pair is required per profile"},
      {{{"service_name", "app"}}, "invalid metric name"},
      {{{"__name__", ""}, {"service_name", "app"}}, "invalid metric name"},
      {{{"__name__", "process_cpu"}, {"", "x"}}, "invalid label name or value"},
      {{{"__name__", "process_cpu"}, {"a", "1"}, {"a", "2"}}, "has duplicate label name: 'a'"},
      {{{"__name__", "process_cpu"}, {std::string(1'025, 'n'), "x"}}, "has label name too long"},
      {{{"__name__", "process_cpu"}, {"a", std::string(2'049, 'v')}}, "has label value too long"},
      {{{"__name__", std::string(2'049, 'v')}}, "has label value too long"},
      {many, "has 31 label names; limit 30"},
  };
  const std::string raw = GoodProfile().SerializeAsString();
  for (const auto& [labels, message] : cases) {
    const std::string answer = PushOf(labels, raw);
    EXPECT_THAT(answer, ::testing::StartsWith("400 invalid_argument: push series with index 0"));
    EXPECT_THAT(answer, HasSubstr(message));
  }
  EXPECT_EQ(Total(), 0);
}

// A wrong call of the write or read interface gets its status, code and message.
TEST_F(BadRequestTest, Calls) {
  struct Case {
    const char* path;
    const char* body;
    const char* answer;
  };
  const char* const merge = "/querier.v1.QuerierService/SelectMergeStacktraces";
  const char* const series = "/querier.v1.QuerierService/SelectSeries";
  const char* const heatmap = "/querier.v1.QuerierService/SelectHeatmap";
  const char* const names = "/querier.v1.QuerierService/LabelNames";
  const char* const values = "/querier.v1.QuerierService/LabelValues";
  const Case cases[] = {
      {kPush, "{}", "400 invalid_argument: no profiles received"},
      {merge, "{}",
       "400 invalid_argument: profile-type selection must be of the form "
       "<name>:<sample-type>:<sample-unit>:<period-type>:<period-unit>(:delta), got(1): \"\""},
      {merge, R"({"profileTypeID":"a:b:c:d:e","labelSelector":"{}"})",
       "400 invalid_argument: missing time range in the query"},
      {merge, R"({"profileTypeID":"a:b:c:d:e","labelSelector":"{}","start":2,"end":1})",
       "400 invalid_argument: query start time is after end time"},
      {merge, R"({"profileTypeID":"a:b:c:d:e","labelSelector":"{}","start":-2,"end":-1})", "200"},
      {merge, R"({"profileTypeID":"a:b:c:d:e:delta","labelSelector":"{}","start":1,"end":1})",
       "200"},
      {merge,
       R"({"profileTypeID":"a:b:c:d:e","labelSelector":"{}","start":1,"end":2,"maxNodes":-1})",
       "400 invalid_argument: max flamegraph nodes limit must be set (max allowed 1048576)"},
      {merge,
       R"({"profileTypeID":"a:b:c:d:e","labelSelector":"{}","start":1,"end":2,"maxNodes":1048577})",
       "400 invalid_argument: max flamegraph nodes limit 1048577 is greater than allowed 1048576"},
      {merge,
       R"({"profileTypeID":"a:b:c:d:e","labelSelector":"{}","start":1,"end":2,)"
       R"("spanSelector":["0123456789abcdef"],)"
       R"("traceIdSelector":["0123456789abcdef0123456789abcdef"]})",
       "400 invalid_argument: span_selector and trace_id_selector cannot be used together"},
      {merge,
       R"({"profileTypeID":"a:b:c:d:e","labelSelector":"{}","start":1,"end":2,)"
       R"("spanSelector":["xyz"]})",
       "400 invalid_argument: invalid span ID, 16 hexadecimal digits are needed: \"xyz\""},
      {merge,
       R"({"profileTypeID":"a:b:c:d:e","labelSelector":"{}","start":1,"end":2,)"
       R"("traceIdSelector":["12"]})",
       "400 invalid_argument: invalid trace ID, 32 hexadecimal digits are needed: \"12\""},
      {merge,
       R"({"profileTypeID":"a:b:c:d:e","labelSelector":"{}","start":1,"end":2,)"
       R"("profileIdSelector":["12"]})",
       "400 invalid_argument: invalid profile ID, a UUID is needed: \"12\""},
      {merge,
       R"({"profileTypeID":"a:b:c:d:e","labelSelector":"{}","start":1,"end":2,)"
       R"("async":{"type":"ASYNC_QUERY_TYPE_FORCE"}})",
       "501 unimplemented: async queries are not enabled"},
      {series, R"({"profileTypeID":"a:b:c:d:e","labelSelector":"{}","start":1,"end":2})",
       "400 invalid_argument: step must be at least 1 ms"},
      {series,
       R"({"profileTypeID":"a:b:c:d:e","labelSelector":"{}","start":1,"end":9000000000000000,)"
       R"("step":0.001})",
       "400 invalid_argument: more than 100000 points: choose a larger step"},
      {series,
       R"({"profileTypeID":"a:b:c:d:e","labelSelector":"{}","start":1,"end":2,"step":1,)"
       R"("exemplarType":"EXEMPLAR_TYPE_SPAN"})",
       "501 unimplemented: span exemplars are not supported"},
      {heatmap, R"({"profileTypeID":"a:b:c:d:e","labelSelector":"{}","start":1,"end":1,"step":1})",
       "400 invalid_argument: start must be before end"},
      {heatmap, R"({"profileTypeID":"a:b:c:d:e","labelSelector":"{}","start":1,"end":2,"step":1})",
       "400 invalid_argument: valid heatmap query type must be specified"},
      {heatmap,
       R"({"profileTypeID":"a:b:c:d:e","labelSelector":"{}","start":1,"end":2,"step":1,)"
       R"("queryType":"HEATMAP_QUERY_TYPE_INDIVIDUAL","limit":-1})",
       "400 invalid_argument: limit must not be negative"},
      {heatmap,
       R"({"profileTypeID":"a:b:c:d:e","labelSelector":"{}","start":1,"end":2,)"
       R"("queryType":"HEATMAP_QUERY_TYPE_INDIVIDUAL"})",
       "400 invalid_argument: step must be at least 1 ms"},
      {heatmap,
       R"({"profileTypeID":"a:b:c:d:e","labelSelector":"{}","start":1,"end":2,"step":1,)"
       R"("queryType":"HEATMAP_QUERY_TYPE_INDIVIDUAL","exemplarType":"EXEMPLAR_TYPE_SPAN"})",
       "400 invalid_argument: span exemplars only available for span query type"},
      {names, "{}", "400 invalid_argument: missing time range in the query"},
      {names, R"({"start":1,"end":2,"matchers":["{"]})", "400 invalid_argument: *"},
      {names, R"({"start":1,"end":2,"matchers":["{a=~\"(\"}"]})", "400 invalid_argument: *"},
      {values, R"({"start":1,"end":2})", "400 invalid_argument: name is required"},
      {"/querier.v1.QuerierService/Series", "{}",
       "400 invalid_argument: missing time range in the query"},
      {"/querier.v1.QuerierService/Diff", "{}", "400 invalid_argument: *"},
      {"/querier.v1.QuerierService/SelectMergeProfile",
       R"({"profileTypeID":"a:b:c:d:e","labelSelector":"","start":1,"end":2})",
       "400 invalid_argument: *"},
      {"/querier.v1.QuerierService/SelectMergeSpanProfile", "{}", "400 invalid_argument: *"},
      {names, "", "400 invalid_argument: *"},
      {names, "{", "400 invalid_argument: *"},
      {names, R"({"start":"x"})", "400 invalid_argument: *"},
      {"/settings.v1.SettingsService/Set", "{}",
       "400 invalid_argument: no setting values provided"},
      {"/settings.v1.SettingsService/Set", R"({"setting":{"value":"x"}})",
       "400 invalid_argument: a setting needs a name"},
      {"/settings.v1.SettingsService/Delete", "{}", "400 invalid_argument: name is required"},
      {"/querier.v1.QuerierService/Nothing", "{}", "404"},
  };
  for (const Case& one : cases) {
    const std::string answer = TextOf(Post(one.path, kJson, one.body));
    std::string expected = one.answer;
    if (expected.ends_with('*')) {
      expected.pop_back();
      EXPECT_THAT(answer, ::testing::StartsWith(expected)) << one.path << " " << one.body;
      EXPECT_GT(answer.size(), expected.size());
    } else {
      EXPECT_EQ(answer, expected) << one.path << " " << one.body;
    }
  }
}

// The rules of the transport: method, content type, compression, size.
TEST_F(BadRequestTest, Transport) {
  const http::Response get = Get(kPush);
  EXPECT_EQ(get.status, 405);
  EXPECT_EQ(get.headers.Get("Allow"), "POST");
  const http::Response type = Post(kPush, "text/plain", "x");
  EXPECT_EQ(type.status, 415);
  EXPECT_THAT(std::string(type.headers.Get("Accept-Post").value_or("")),
              HasSubstr("application/proto"));
  EXPECT_EQ(TextOf(Post(kPush, "application/json; charset=utf-8", "{}")),
            "400 invalid_argument: no profiles received");
  http::Request zstd = {.method = "POST", .path = kPush, .body = "x"};
  zstd.headers.Add("Content-Type", "application/proto");
  zstd.headers.Add("Content-Encoding", "zstd");
  EXPECT_THAT(TextOf(router_.Route(zstd)), ::testing::StartsWith("501 unimplemented: "));
  http::Request bomb = {.method = "POST",
                        .path = "/querier.v1.QuerierService/LabelNames",
                        .body = pprof::Gzip(std::string(8 << 20, ' '))};
  bomb.headers.Add("Content-Type", kJson);
  bomb.headers.Add("Content-Encoding", "gzip");
  EXPECT_THAT(TextOf(router_.Route(bomb)), ::testing::StartsWith("429 resource_exhausted: "));
  // One tenant: its name is not looked at.
  http::Request tenant = {
      .method = "POST", .path = "/querier.v1.QuerierService/GetProfileStats", .body = "{}"};
  tenant.headers.Add("Content-Type", kJson);
  tenant.headers.Add("X-Scope-OrgID", "a|b/../..");
  EXPECT_EQ(router_.Route(tenant).status, 200);
}

// The legacy interface writes Pyroscope's JSON of an error, and forbids guessing its type.
TEST_F(BadRequestTest, Legacy) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "query is required"},
      {"query=process_cpu&from=now-1h", "*"},
      {"query=%7B%7D&from=now-1h",
       "query must name a profile type: none is stored in this time range"},
      {"query=a%3Ab%7B%7D&from=now-1h", "*"},
      {"query=%7B&from=now-1h", "*"},
      {"query=a%3Ab%3Ac%3Ad%3Ae%7B%7D&from=0", "missing time range in the query"},
      {"query=a%3Ab%3Ac%3Ad%3Ae%7B%7D&from=now&until=now-1h", "query start time is after end time"},
  };
  for (const auto& [query, message] : cases) {
    const http::Response response = Get("/pyroscope/render", query);
    EXPECT_EQ(response.status, 400) << query;
    EXPECT_EQ(response.headers.Get("X-Content-Type-Options"), "nosniff");
    const json body = json::parse(response.body);
    EXPECT_EQ(body["code"], "invalid_argument");
    if (std::string(message) != "*") {
      EXPECT_EQ(body["message"], message) << query;
    }
  }
  EXPECT_EQ(
      Get("/pyroscope/render-diff", "leftQuery=a%3Ab%3Ac%3Ad%3Ae%7B%7D&leftFrom=now-1h").status,
      400);
  const http::Response types = Get("/pyroscope/render-diff",
                                   "leftQuery=a%3Ab%3Ac%3Ad%3Ae%7B%7D&leftFrom=now-1h"
                                   "&rightQuery=a%3Ab%3Ac%3Ad%3Af%7B%7D&rightFrom=now-1h");
  EXPECT_EQ(json::parse(types.body)["message"], "profile types must match");
  EXPECT_EQ(Get("/pyroscope/label-values").status, 400);
  EXPECT_EQ(Post("/pyroscope/render", kJson, "{}").status, 405);
}

}  // namespace
}  // namespace stoker::store
