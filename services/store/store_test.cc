#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "services/common/base/status.h"
#include "services/common/pprof/gzip.h"
#include "services/common/pprof/profile_builder.h"
#include "services/common/testing/fake_clock.h"
#include "services/store/legacy_api.h"
#include "services/store/metrics.h"
#include "services/store/pusher.h"
#include "services/store/querier.h"
#include "services/store/storage.h"

namespace stoker::store {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kCpu[] = "process_cpu:cpu:nanoseconds:cpu:nanoseconds";

struct Stack {
  // The root first.
  std::vector<std::string> names;
  std::int64_t value;
  // Of the sample; "" for none.
  std::string thread;
};

class StoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    dir_ = ::testing::TempDir() + "/" +
           ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(dir_);
    Open();
  }

  // As after a kill: nothing is flushed or closed in order.
  void Open() {
    querier_.reset();
    pusher_.reset();
    storage_.reset();
    auto storage = Storage::Open({.dir = dir_}, clock_);
    ASSERT_TRUE(storage.ok()) << Message(storage.status());
    storage_ = *std::move(storage);
    pusher_ = std::make_unique<Pusher>(*storage_, metrics_);
    querier_ = std::make_unique<Querier>(*storage_, clock_);
  }

  [[nodiscard]] std::int64_t NowMs() const { return absl::ToUnixMillis(clock_.Now()); }

  std::string Pprof(const std::vector<Stack>& stacks) const {
    pprof::ProfileBuilder builder;
    builder.AddSampleType("cpu", "nanoseconds");
    builder.SetPeriod("cpu", "nanoseconds", 10);
    builder.SetTime(absl::ToUnixNanos(clock_.Now()), 15'000'000'000);
    const std::uint64_t mapping = builder.AddMapping({.filename = "/bin/app"});
    for (const Stack& stack : stacks) {
      std::vector<std::uint64_t> locations;
      for (const std::string& name : stack.names) {
        const std::uint64_t function = builder.AddFunction({.name = name});
        locations.insert(locations.begin(), builder.AddLocation(mapping, 0, {{function, 1}}));
      }
      std::vector<pprof::ProfileBuilder::Label> labels;
      if (!stack.thread.empty()) labels.push_back({.key = "thread", .str = stack.thread});
      builder.AddSample(locations, std::vector<std::int64_t>{stack.value}, labels);
    }
    return std::move(builder).FinishGzip();
  }

  static push::v1::PushRequest Request(const std::string& service, std::string raw,
                                       const std::string& id) {
    push::v1::PushRequest request;
    push::v1::RawProfileSeries* const series = request.add_series();
    const std::pair<std::string, std::string> labels[] = {
        {"__name__", "process_cpu"}, {"service_name", service}, {"__delta__", "false"}};
    for (const auto& [name, value] : labels) {
      types::v1::LabelPair* const pair = series->add_labels();
      pair->set_name(name);
      pair->set_value(value);
    }
    push::v1::RawSample* const sample = series->add_samples();
    sample->set_raw_profile(std::move(raw));
    sample->set_id(id);
    return request;
  }

  std::string Push(const push::v1::PushRequest& request) {
    const auto response = pusher_->Push(request);
    return response.ok() ? "ok" : std::string(Message(response.status()));
  }

  querier::v1::SelectMergeStacktracesRequest MergeRequest(const std::string& selector) const {
    querier::v1::SelectMergeStacktracesRequest request;
    request.set_profile_typeid(kCpu);
    request.set_label_selector(selector);
    request.set_start(NowMs() - 3'600'000);
    request.set_end(NowMs() + 1'000);
    return request;
  }

  querier::v1::FlameGraph Graph(const std::string& selector) const {
    const auto response = querier_->SelectMergeStacktraces(MergeRequest(selector));
    EXPECT_TRUE(response.ok()) << Message(response.status());
    return response.ok() ? response->flamegraph() : querier::v1::FlameGraph();
  }

  std::string dir_;
  stoker::testing::FakeClock clock_;
  metrics::Registry registry_;
  Metrics metrics_{registry_};
  std::unique_ptr<Storage> storage_;
  std::unique_ptr<Pusher> pusher_;
  std::unique_ptr<Querier> querier_;
};

// What was pushed comes back merged, to the unit, and only for the series asked for.
TEST_F(StoreTest, PushAndMerge) {
  const std::string raw = Pprof({{{"main", "work", "hot"}, 70, ""}, {{"main", "idle"}, 30, ""}});
  EXPECT_EQ(Push(Request("app", raw, "1")), "ok");
  clock_.Advance(absl::Seconds(15));
  EXPECT_EQ(Push(Request("app", Pprof({{{"main", "work", "hot"}, 7, ""}}), "2")), "ok");
  EXPECT_EQ(Push(Request("other", Pprof({{{"main"}, 1'000, ""}}), "3")), "ok");
  const querier::v1::FlameGraph graph = Graph(R"({service_name="app"})");
  EXPECT_EQ(graph.total(), 107);
  EXPECT_THAT(graph.names(), ElementsAre("total", "main", "work", "hot", "idle"));
  EXPECT_EQ(Graph("{}").total(), 1'107);
  EXPECT_EQ(Graph(R"({service_name="none"})").total(), 0);
}

// A replayed Push changes nothing, also after a restart, when the first one's answer was lost.
TEST_F(StoreTest, Deduplicates) {
  const push::v1::PushRequest request = Request("app", Pprof({{{"main"}, 5, ""}}), "id-1");
  EXPECT_EQ(Push(request), "ok");
  EXPECT_EQ(Push(request), "ok");
  EXPECT_EQ(Graph("{}").total(), 5);
  Open();
  EXPECT_EQ(Graph("{}").total(), 5);
  EXPECT_EQ(Push(request), "ok");
  EXPECT_EQ(Graph("{}").total(), 5);
  EXPECT_EQ(Push(Request("app", Pprof({{{"main"}, 5, ""}}), "id-2")), "ok");
  EXPECT_EQ(Graph("{}").total(), 10);
}

// Samples' string labels become labels of series; the store adds those of the profile type.
TEST_F(StoreTest, SampleLabelsBecomeSeries) {
  EXPECT_EQ(Push(Request("app", Pprof({{{"f"}, 1, "io"}, {{"f"}, 2, ""}, {{"g"}, 4, "io"}}), "1")),
            "ok");
  EXPECT_EQ(Graph(R"({thread="io"})").total(), 5);
  EXPECT_EQ(Graph(R"({thread=""})").total(), 2);
  types::v1::LabelNamesRequest names;
  names.set_start(NowMs() - 1'000);
  names.set_end(NowMs() + 1'000);
  EXPECT_THAT(querier_->LabelNames(names, false)->names(),
              ElementsAre("__name__", "__period_type__", "__period_unit__", "__profile_type__",
                          "__service_name__", "__type__", "__unit__", "service_name", "thread"));
  types::v1::LabelValuesRequest values;
  values.set_name("thread");
  values.set_start(names.start());
  values.set_end(names.end());
  EXPECT_THAT(querier_->LabelValues(values)->names(), ElementsAre("io"));
  querier::v1::ProfileTypesRequest types;
  types.set_start(names.start());
  types.set_end(names.end());
  ASSERT_EQ(querier_->ProfileTypes(types)->profile_types_size(), 1);
  EXPECT_EQ(querier_->ProfileTypes(types)->profile_types(0).id(), kCpu);
  querier::v1::SeriesRequest series;
  series.set_start(names.start());
  series.set_end(names.end());
  series.add_label_names("service_name");
  series.add_label_names("__profile_type__");
  EXPECT_EQ(querier_->Series(series, false)->labels_set_size(), 1);
}

// Grafana's health check asks for 1970: an empty answer, not an error.
TEST_F(StoreTest, HealthCheck) {
  querier::v1::ProfileTypesRequest request;
  request.set_start(1'000);
  request.set_end(4'000);
  ASSERT_TRUE(querier_->ProfileTypes(request).ok());
  EXPECT_THAT(querier_->ProfileTypes(request)->profile_types(), IsEmpty());
}

// Each wrong request gets Pyroscope's words.
TEST_F(StoreTest, BadQueries) {
  auto request = MergeRequest("{}");
  const auto message = [&] {
    return std::string(Message(querier_->SelectMergeStacktraces(request).status()));
  };
  request.set_start(0);
  EXPECT_EQ(message(), "missing time range in the query");
  request.set_start(request.end() + 1);
  EXPECT_EQ(message(), "query start time is after end time");
  request = MergeRequest("");
  EXPECT_THAT(message(), HasSubstr("parse error"));
  request = MergeRequest("{}");
  request.set_max_nodes(-1);
  EXPECT_THAT(message(), HasSubstr("max flamegraph nodes limit must be set"));
  request.set_max_nodes(1'048'577);
  EXPECT_EQ(message(), "max flamegraph nodes limit 1048577 is greater than allowed 1048576");
  request.set_max_nodes(1);
  request.set_profile_typeid("cpu");
  EXPECT_THAT(message(), HasSubstr("profile-type selection must be of the form"));
}

// What is refused says why and is counted by reason; the good ones of the request are stored.
TEST_F(StoreTest, BadPushes) {
  EXPECT_EQ(Push({}), "no profiles received");
  push::v1::PushRequest request = Request("app", "not a pprof", "x");
  *request.mutable_series(0)->add_samples() =
      Request("app", Pprof({{{"main"}, 3, ""}}), "y").series(0).samples(0);
  EXPECT_THAT(Push(request), HasSubstr("push series with index 0 and id x failed"));
  EXPECT_EQ(Graph("{}").total(), 3);

  request = Request("app", Pprof({{{"main"}, 3, ""}}), "z");
  clock_.Advance(absl::Hours(25));
  EXPECT_THAT(Push(request), HasSubstr("is outside of ingestion window"));
  request.mutable_series(0)->clear_labels();
  EXPECT_THAT(Push(request), HasSubstr("error at least one label pair is required per profile"));
  const std::string text = registry_.Text();
  EXPECT_THAT(text, HasSubstr("pyroscope_discarded_samples_total{reason=\"malformed_profile\""));
  EXPECT_THAT(text, HasSubstr("pyroscope_discarded_samples_total{reason=\"missing_labels\""));
  EXPECT_THAT(text,
              HasSubstr("pyroscope_discarded_samples_total{reason=\"not_in_ingestion_window\""));
}

// Points lie on start + k * step and hold the step before them, its right edge included.
TEST_F(StoreTest, SelectSeries) {
  const std::int64_t start = NowMs();
  for (const std::int64_t value : {1, 2, 4}) {
    EXPECT_EQ(Push(Request("app", Pprof({{{"main"}, value, ""}}), std::to_string(value))), "ok");
    clock_.Advance(absl::Seconds(10));
  }
  querier::v1::SelectSeriesRequest request;
  request.set_profile_typeid(kCpu);
  request.set_label_selector("{}");
  request.set_start(start);
  request.set_end(start + 45'000);
  request.set_step(15);
  request.add_group_by("service_name");
  const auto response = querier_->SelectSeries(request);
  ASSERT_TRUE(response.ok()) << Message(response.status());
  ASSERT_EQ(response->series_size(), 1);
  const types::v1::Series& series = response->series(0);
  EXPECT_EQ(series.labels(0).value(), "app");
  ASSERT_EQ(series.points_size(), 3);
  EXPECT_EQ(series.points(0).timestamp(), start);
  EXPECT_EQ(series.points(0).value(), 1);
  EXPECT_EQ(series.points(1).timestamp(), start + 15'000);
  EXPECT_EQ(series.points(1).value(), 2);
  EXPECT_EQ(series.points(2).value(), 4);
}

// The merged pprof has one sample type and the sums; so has the format PPROF.
TEST_F(StoreTest, MergeProfile) {
  for (const char* const id : {"1", "2"}) {
    EXPECT_EQ(Push(Request("app", Pprof({{{"main", "hot"}, 8, ""}, {{"main"}, 1, ""}}), id)), "ok");
  }
  querier::v1::SelectMergeProfileRequest request;
  request.set_profile_typeid(kCpu);
  request.set_label_selector("{}");
  request.set_start(NowMs() - 1'000);
  request.set_end(NowMs() + 1'000);
  const auto profile = querier_->SelectMergeProfile(request);
  ASSERT_TRUE(profile.ok()) << Message(profile.status());
  ASSERT_EQ(profile->sample_size(), 2);
  std::int64_t total = 0;
  for (const auto& sample : profile->sample()) total += sample.value(0);
  EXPECT_EQ(total, 18);
  EXPECT_EQ(profile->period(), 1'000'000'000);
  EXPECT_EQ(profile->time_nanos(), (NowMs() + 1'000) * 1'000'000);

  auto stacktraces = MergeRequest("{}");
  stacktraces.set_format(querier::v1::PROFILE_FORMAT_PPROF);
  EXPECT_EQ(querier_->SelectMergeStacktraces(stacktraces)->pprof().profile().sample_size(), 2);
}

// The legacy JSON: the flame graph, its metadata and a timeline of whole steps.
TEST_F(StoreTest, Render) {
  EXPECT_EQ(Push(Request("app", Pprof({{{"main", "hot"}, 8, ""}}), "1")), "ok");
  clock_.Advance(absl::Seconds(60));
  const LegacyApi api(*querier_, clock_);
  http::Request request = {
      .method = "GET",
      .query =
          "query=process_cpu%3Acpu%3Ananoseconds%3Acpu%3Ananoseconds%7Bservice_name%3D%22app"
          "%22%7D&from=now-5m&until=now"};
  const http::Response response = api.Render(request);
  ASSERT_EQ(response.status, 200) << response.body;
  const json body = json::parse(response.body);
  EXPECT_EQ(body["flamebearer"]["numTicks"], 8);
  EXPECT_EQ(body["flamebearer"]["names"], json({"total", "main", "hot"}));
  EXPECT_EQ(body["flamebearer"]["levels"], json::parse("[[0,8,0,0],[0,8,0,1],[0,8,8,2]]"));
  EXPECT_EQ(body["metadata"]["sampleRate"], 1'000'000'000);
  EXPECT_EQ(body["timeline"]["durationDelta"], 15);
  EXPECT_EQ(body["timeline"]["samples"].size(), 20);
  std::uint64_t total = 0;
  for (const json& sample : body["timeline"]["samples"]) total += sample.get<std::uint64_t>();
  EXPECT_EQ(total, 8);

  request.query = "query=%7B%7D&from=now-5m";
  EXPECT_EQ(json::parse(api.Render(request).body)["flamebearer"]["numTicks"], 8);
  request.query = "from=now-5m";
  EXPECT_EQ(api.Render(request).status, 400);
  request.query = "label=__name__";
  EXPECT_EQ(json::parse(api.LabelValues(request).body), json({kCpu}));
}

// A record that was cut by a kill is cut off; those before it stay.
TEST_F(StoreTest, TornLog) {
  EXPECT_EQ(Push(Request("app", Pprof({{{"main"}, 8, ""}}), "1")), "ok");
  std::uintmax_t whole = 0;
  for (const auto& entry : std::filesystem::directory_iterator(dir_)) {
    if (entry.path().extension() == ".log") whole = entry.file_size();
  }
  EXPECT_EQ(Push(Request("app", Pprof({{{"main"}, 16, ""}}), "2")), "ok");
  for (const auto& entry : std::filesystem::directory_iterator(dir_)) {
    if (entry.path().extension() == ".log") {
      std::filesystem::resize_file(entry.path(), entry.file_size() - 5);
      EXPECT_GT(entry.file_size(), whole);
    }
  }
  Open();
  EXPECT_EQ(Graph("{}").total(), 8);
  EXPECT_EQ(Push(Request("app", Pprof({{{"main"}, 16, ""}}), "2")), "ok");
  Open();
  EXPECT_EQ(Graph("{}").total(), 24);
}

}  // namespace
}  // namespace stoker::store
