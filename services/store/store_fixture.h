#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "services/common/base/status.h"
#include "services/common/http/router.h"
#include "services/common/testing/fake_clock.h"
#include "services/store/legacy_api.h"
#include "services/store/metrics.h"
#include "services/store/operations_api.h"
#include "services/store/pusher.h"
#include "services/store/querier.h"
#include "services/store/routes.h"
#include "services/store/settings.h"
#include "services/store/storage.h"

namespace stoker::store {

// A whole store behind its routes, without a server: a test asks with requests as the server gives
// them. Time stands still.
class StoreFixture : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string dir = ::testing::TempDir() + "/" +
                            ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(dir);
    auto storage = Storage::Open({.dir = dir, .limits = limits_}, clock_);
    ASSERT_TRUE(storage.ok()) << Message(storage.status());
    storage_ = *std::move(storage);
    auto settings = Settings::Open(dir + "/settings.json", clock_);
    ASSERT_TRUE(settings.ok()) << Message(settings.status());
    settings_ = *std::move(settings);
    pusher_ = std::make_unique<Pusher>(*storage_, metrics_);
    querier_ = std::make_unique<Querier>(*storage_, clock_);
    legacy_ = std::make_unique<LegacyApi>(*querier_, clock_);
    const AddRoute add = [&](std::string method, std::string path, http::Handler handler) {
      router_.Add(std::move(method), std::move(path), std::move(handler));
    };
    AddRoutes(*pusher_, *querier_, *legacy_, add);
    AddOperationsApi({.node_name = "node-1",
                      .http_listen = "127.0.0.1:4040",
                      .flags = {{"store.max-age", "336h"},
                                {"auth.token", "hunter2"},
                                {"upstream", "http://user:hunter2@example.com/path"}}},
                     *settings_, clock_, add);
  }

  http::Response Post(const std::string& path, const std::string& content_type, std::string body) {
    http::Request request = {.method = "POST", .path = path, .body = std::move(body)};
    request.headers.Add("Content-Type", content_type);
    return router_.Route(request);
  }
  http::Response Get(const std::string& path, const std::string& query = "") {
    return router_.Route({.method = "GET", .path = path, .query = query});
  }

  // One profile of `labels`; the status as text, "ok" for none.
  std::string Push(const std::vector<std::pair<std::string, std::string>>& labels,
                   std::string pprof) {
    push::v1::PushRequest request;
    push::v1::RawProfileSeries* const series = request.add_series();
    for (const auto& [name, value] : labels) {
      types::v1::LabelPair* const pair = series->add_labels();
      pair->set_name(name);
      pair->set_value(value);
    }
    series->add_samples()->set_raw_profile(std::move(pprof));
    const auto response = pusher_->Push(request);
    return response.ok() ? "ok" : std::string(Message(response.status()));
  }

  [[nodiscard]] std::int64_t NowMs() const { return absl::ToUnixMillis(clock_.Now()); }

  // Set before SetUp.
  Limits limits_;
  stoker::testing::FakeClock clock_;
  metrics::Registry registry_;
  Metrics metrics_{registry_};
  http::Router router_;
  std::unique_ptr<Storage> storage_;
  std::unique_ptr<Settings> settings_;
  std::unique_ptr<Pusher> pusher_;
  std::unique_ptr<Querier> querier_;
  std::unique_ptr<LegacyApi> legacy_;
};

}  // namespace stoker::store
