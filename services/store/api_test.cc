#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "services/common/base/status.h"
#include "services/common/http/router.h"
#include "services/common/http/server.h"
#include "services/common/pprof/gzip.h"
#include "services/common/testing/fake_clock.h"
#include "services/store/http_caller.h"
#include "services/store/legacy_api.h"
#include "services/store/metrics.h"
#include "services/store/profile_maker.h"
#include "services/store/pusher.h"
#include "services/store/querier.h"
#include "services/store/routes.h"
#include "services/store/storage.h"

namespace stoker::store {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

constexpr char kCpu[] = "process_cpu:cpu:nanoseconds:cpu:nanoseconds";
const char* const kProto = "Content-Type: application/proto";
const char* const kJson = "Content-Type: application/json";

// The store's API as clients meet it: through the real HTTP server.
class ApiTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string dir = ::testing::TempDir() + "/" +
                            ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(dir);
    auto storage = Storage::Open({.dir = dir}, clock_);
    ASSERT_TRUE(storage.ok()) << Message(storage.status());
    storage_ = *std::move(storage);
    pusher_ = std::make_unique<Pusher>(*storage_, metrics_);
    querier_ = std::make_unique<Querier>(*storage_, clock_);
    legacy_ = std::make_unique<LegacyApi>(*querier_, clock_);
    const AddRoute add = [&](std::string method, std::string path, http::Handler handler) {
      router_.Add(std::move(method), std::move(path), std::move(handler));
    };
    AddRoutes(*pusher_, *querier_, *legacy_, add);
    doctor_file_ = dir + ".doctor.json";
    std::filesystem::remove(doctor_file_);
    AddDiagnosis(doctor_file_, add);
    auto server = http::Server::Start(
        {.addresses = {"127.0.0.1:0"}},
        [this](const http::Request& request) { return router_.Route(request); });
    ASSERT_TRUE(server.ok()) << Message(server.status());
    server_ = *std::move(server);
  }

  HttpAnswer Call(const std::string& path, const std::vector<std::string>& fields = {},
                  const std::string& body = "", long version = CURL_HTTP_VERSION_1_1) {
    return CallHttp("http://127.0.0.1:" + std::to_string(server_->ports().at(0)) + path, fields,
                    body, version);
  }

  [[nodiscard]] push::v1::PushRequest PushRequest(std::int64_t value, const std::string& id) const {
    push::v1::PushRequest request;
    push::v1::RawProfileSeries* const series = request.add_series();
    const std::pair<const char*, const char*> labels[] = {{"__name__", "process_cpu"},
                                                          {"service_name", "app"}};
    for (const auto& [name, text] : labels) {
      types::v1::LabelPair* const pair = series->add_labels();
      pair->set_name(name);
      pair->set_value(text);
    }
    series->add_samples()->set_raw_profile(pprof::Gzip(
        MakeProfile(absl::ToUnixNanos(clock_.Now()), {{.names = {"main"}, .value = value}})));
    series->mutable_samples(0)->set_id(id);
    return request;
  }

  // What is stored in all, asked for over JSON.
  std::string Total() {
    const std::int64_t now = absl::ToUnixMillis(clock_.Now());
    const json request = {{"profileTypeID", kCpu},
                          {"labelSelector", R"({service_name="app"})"},
                          {"start", now - 1'000},
                          {"end", std::to_string(now + 1'000)}};
    const HttpAnswer answer =
        Call("/querier.v1.QuerierService/SelectMergeStacktraces", {kJson}, request.dump());
    EXPECT_EQ(answer.status, 200) << answer.body;
    return json::parse(answer.body)["flamegraph"].value("total", "0");
  }

  stoker::testing::FakeClock clock_;
  metrics::Registry registry_;
  Metrics metrics_{registry_};
  http::Router router_;
  std::unique_ptr<Storage> storage_;
  std::unique_ptr<Pusher> pusher_;
  std::unique_ptr<Querier> querier_;
  std::unique_ptr<LegacyApi> legacy_;
  std::unique_ptr<http::Server> server_;
  std::string doctor_file_;
};

// Every way that clients push: proto, gzip, JSON, HTTP/2, gRPC. All of it is there after.
TEST_F(ApiTest, PushInEveryCoding) {
  const std::string path = "/push.v1.PusherService/Push";
  const HttpAnswer proto = Call(path, {kProto}, PushRequest(1, "1").SerializeAsString());
  EXPECT_EQ(proto.status, 200) << proto.body;
  EXPECT_EQ(proto.body, "");
  EXPECT_EQ(Call(path, {kProto, "Content-Encoding: gzip"},
                 pprof::Gzip(PushRequest(2, "2").SerializeAsString()))
                .status,
            200);
  EXPECT_EQ(Call(path, {kProto}, PushRequest(4, "3").SerializeAsString(),
                 CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE)
                .status,
            200);
  std::string framed(5, '\0');
  framed += PushRequest(8, "4").SerializeAsString();
  framed[3] = static_cast<char>((framed.size() - 5) >> 8);
  framed[4] = static_cast<char>(framed.size() - 5);
  const HttpAnswer grpc = Call(path, {"Content-Type: application/grpc", "TE: trailers"}, framed,
                               CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE);
  EXPECT_THAT(grpc.headers, HasSubstr("grpc-status: 0"));
  EXPECT_EQ(Total(), "15");
}

// A wrong call gets Connect's status and body.
TEST_F(ApiTest, Errors) {
  const std::string push = "/push.v1.PusherService/Push";
  EXPECT_EQ(Call(push).status, 405);
  EXPECT_EQ(Call(push, {"Content-Type: text/plain"}, "x").status, 415);
  const HttpAnswer empty = Call(push, {kJson}, "{}");
  EXPECT_EQ(empty.status, 400);
  EXPECT_EQ(json::parse(empty.body),
            json({{"code", "invalid_argument"}, {"message", "no profiles received"}}));
  EXPECT_EQ(Call("/querier.v1.QuerierService/LabelNames", {kJson}, "{").status, 400);
  const HttpAnswer range = Call("/querier.v1.QuerierService/LabelNames", {kJson}, "{}");
  EXPECT_EQ(json::parse(range.body)["message"], "missing time range in the query");
  EXPECT_EQ(Call("/pyroscope/render").status, 400);
  EXPECT_EQ(Call("/nothing").status, 404);
}

// Grafana's data source: its health check, then the calls of its editor and panels.
TEST_F(ApiTest, Grafana) {
  const HttpAnswer health =
      Call("/querier.v1.QuerierService/ProfileTypes", {kJson}, R"({"start":1000,"end":4000})");
  EXPECT_EQ(health.status, 200);
  EXPECT_EQ(health.body, "{}");
  ASSERT_EQ(
      Call("/push.v1.PusherService/Push", {kProto}, PushRequest(5, "1").SerializeAsString()).status,
      200);
  const std::string now = std::to_string(absl::ToUnixMillis(clock_.Now()) + 1);
  const std::string range = R"("start":1000,"end":)" + now;
  EXPECT_EQ(Call("/querier.v1.QuerierService/ProfileTypes", {kJson}, "{" + range + "}").body,
            R"({"profileTypes":[{"ID":"process_cpu:cpu:nanoseconds:cpu:nanoseconds",)"
            R"("name":"process_cpu","sampleType":"cpu","sampleUnit":"nanoseconds",)"
            R"("periodType":"cpu","periodUnit":"nanoseconds"}]})");
  EXPECT_EQ(
      Call("/querier.v1.QuerierService/Series", {kJson},
           R"({"labelNames":["service_name","__profile_type__"],"matchers":[],)" + range + "}")
          .body,
      R"({"labelsSet":[{"labels":[{"name":"__profile_type__",)"
      R"("value":"process_cpu:cpu:nanoseconds:cpu:nanoseconds"},)"
      R"({"name":"service_name","value":"app"}]}]})");
  EXPECT_EQ(Call("/querier.v1.QuerierService/LabelValues", {kJson},
                 R"({"name":"service_name","matchers":["{}"],)" + range + "}")
                .body,
            R"({"names":["app"]})");
  EXPECT_EQ(Call("/querier.v1.QuerierService/SelectMergeStacktraces", {kJson},
                 R"({"profileTypeID":")" + std::string(kCpu) + R"(","labelSelector":"{}",)" +
                     range + R"(,"unknownField":1})")
                .body,
            R"({"flamegraph":{"names":["total","main"],"levels":[{"values":["0","5","0","0"]},)"
            R"({"values":["0","5","5","1"]}],"total":"5","maxSelf":"5"}})");
  EXPECT_THAT(Call("/querier.v1.QuerierService/GetProfileStats", {kJson}, "{}").body,
              HasSubstr(R"("dataIngested":true)"));
}

// Operations: ready, the page with its rules for the browser.
TEST_F(ApiTest, Operations) {
  EXPECT_EQ(Call("/ready").body, "ready");
  const HttpAnswer page = Call("/");
  EXPECT_EQ(page.status, 200);
  EXPECT_THAT(page.headers, HasSubstr("text/html"));
  EXPECT_THAT(page.headers,
              HasSubstr("Content-Security-Policy: default-src 'none'; script-src 'self';"));
  EXPECT_THAT(page.headers, ::testing::Not(HasSubstr("unsafe")));
}

// What is wrong with the host is read anew at each call; without a file there is nothing to say.
TEST_F(ApiTest, Diagnosis) {
  EXPECT_EQ(Call("/api/v1/diagnosis").body, R"({"checks":[]})");
  std::ofstream(doctor_file_) << R"({"checks":[{"id":"btf","level":"error"}]})";
  EXPECT_EQ(json::parse(Call("/api/v1/diagnosis").body)["checks"][0]["id"], "btf");
  std::ofstream(doctor_file_) << "no JSON";
  EXPECT_EQ(Call("/api/v1/diagnosis").status, 500);
}

}  // namespace
}  // namespace stoker::store
