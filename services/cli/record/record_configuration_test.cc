// What a recording runs is a configuration that stands, with the targets of the lab for a whole
// host.
#include "services/cli/record/record_configuration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/common/base/status.h"
#include "services/common/config/configuration.h"
#include "services/common/config/environment.h"

namespace stoker::cli {
namespace {

using ::testing::UnorderedElementsAre;

std::vector<std::string> Ids(bool whole_host) {
  const auto configuration =
      config::Configuration::Parse("record.alloy", RecordConfiguration(whole_host, 499),
                                   config::MachineEnvironment(), {.check_values = true});
  EXPECT_TRUE(configuration.ok()) << Message(configuration.status());
  return configuration.ok() ? (*configuration)->ids() : std::vector<std::string>();
}

TEST(RecordConfigurationTest, Stands) {
  EXPECT_THAT(Ids(false), UnorderedElementsAre(kRecordComponent, "pyroscope.write.record"));
  EXPECT_THAT(Ids(true), UnorderedElementsAre(kRecordComponent, "pyroscope.write.record",
                                              "discovery.process.host", "discovery.relabel.host"));
}

}  // namespace
}  // namespace stoker::cli
