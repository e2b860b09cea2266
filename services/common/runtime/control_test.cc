#include "services/common/runtime/control.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/common/base/status.h"

namespace stoker::runtime {
namespace {

class ControlTest : public ::testing::Test {
 protected:
  http::Response Get(const std::string& path) {
    return control_.Handle({.method = "GET", .path = path});
  }

  metrics::Registry metrics_;
  Control control_{"forwarder", "node7", metrics_};
};

// Not ready until told so, and again when told otherwise.
TEST_F(ControlTest, Ready) {
  EXPECT_EQ(Get("/-/ready").status, 503);
  control_.SetReady(true);
  EXPECT_EQ(Get("/-/ready").status, 200);
  control_.SetReady(false);
  EXPECT_EQ(Get("/-/ready").status, 503);
}

// Unhealthy and exited components are named; unknown ones do not count against the process.
TEST_F(ControlTest, Healthy) {
  control_.health().Set("pyroscope.write.a", Health::kHealthy, "");
  control_.health().Set("pyroscope.write.b", Health::kUnknown, "");
  EXPECT_EQ(Get("/-/healthy").status, 200);
  control_.health().Set("pyroscope.write.c", Health::kUnhealthy, "bad url");
  control_.health().Set("pyroscope.write.d", Health::kExited, "gone");
  const http::Response response = Get("/-/healthy");
  EXPECT_EQ(response.status, 500);
  EXPECT_EQ(response.body, "unhealthy components: pyroscope.write.c, pyroscope.write.d\n");
}

// A refused reload answers 400 with the reason; an accepted one 200.
TEST_F(ControlTest, Reload) {
  absl::Status result = InvalidArgument("a.alloy:3:1: no such component");
  control_.OnReload([&] { return result; });
  EXPECT_EQ(Get("/-/reload").status, 400);
  EXPECT_THAT(Get("/-/reload").body, ::testing::HasSubstr("a.alloy:3:1"));
  result = absl::OkStatus();
  EXPECT_EQ(Get("/-/reload").body, "config reloaded\n");
}

// The state holds every part, the components and the configuration's hash.
TEST_F(ControlTest, DebugState) {
  control_.AddDebugState("endpoints", [] { return nlohmann::json{{"backlog", 3}}; });
  control_.health().Set("pyroscope.write.a", Health::kHealthy, "");
  control_.SetConfigHash("abc");
  const auto state = nlohmann::json::parse(Get("/debug/state").body);
  EXPECT_EQ(state["endpoints"]["backlog"], 3);
  EXPECT_EQ(state["components"][0]["id"], "pyroscope.write.a");
  EXPECT_EQ(state["config_hash"], "abc");
  EXPECT_EQ(state["node"], "node7");
  EXPECT_THAT(Get("/metrics").body, ::testing::HasSubstr("stoker_config_hash{sha256=\"abc\"} 1"));
}

}  // namespace
}  // namespace stoker::runtime
