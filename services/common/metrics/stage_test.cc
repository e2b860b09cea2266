#include "services/common/metrics/stage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stoker::metrics {
namespace {

// What the owner holds must be what the counters leave over.
TEST(StageTest, Audit) {
  Registry registry;
  Stage stage(registry, "forwarder");
  stage.In(10);
  stage.Out(6);
  stage.Drop("too_old", 3);
  EXPECT_EQ(stage.Read().InFlight(), 1);
  stage.Audit(1);
  EXPECT_THAT(registry.Text(), ::testing::HasSubstr("stoker_forwarder_conservation_error 0"));
  stage.Audit(0);
  EXPECT_THAT(registry.Text(), ::testing::HasSubstr("stoker_forwarder_conservation_error 1"));
}

// The metrics carry the same figures.
TEST(StageTest, Exports) {
  Registry registry;
  Stage stage(registry, "forwarder");
  stage.In(5);
  stage.Drop("too_old", 5);
  const std::string text = registry.Text();
  EXPECT_THAT(text, ::testing::HasSubstr("stoker_forwarder_in 5"));
  EXPECT_THAT(text, ::testing::HasSubstr("stoker_forwarder_dropped{reason=\"too_old\"} 5"));
  EXPECT_THAT(text, ::testing::HasSubstr("stoker_forwarder_in_flight 0"));
}

}  // namespace
}  // namespace stoker::metrics
