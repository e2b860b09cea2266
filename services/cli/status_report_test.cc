#include "services/cli/status_report.h"

#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stoker::cli {
namespace {

using ::testing::HasSubstr;

std::string ReadFile(const std::string& name) {
  std::ostringstream text;
  text << std::ifstream("services/cli/testdata/" + name).rdbuf();
  return text.str();
}

nlohmann::json State() { return nlohmann::json::parse(ReadFile("status_state.json")); }

// A refused reload, a process that is away, a component that failed and a process with another
// configuration: each is named, the rest is told.
TEST(StatusReportTest, Troubles) {
  const auto report = MakeStatusReport(State());
  EXPECT_EQ(report["healthy"], false);
  EXPECT_EQ(StatusText(report), ReadFile("status.golden"));
}

// When nothing is wrong it says so.
TEST(StatusReportTest, Healthy) {
  nlohmann::json state = State();
  state["configuration"]["last_load_successful"] = true;
  for (auto& process : state["processes"]) process["state"] = "ready";
  state["state"]["symbolizer"] = {{"components", nlohmann::json::array()}};
  for (auto& component : state["state"]["discovery"]["components"]) component["health"] = "healthy";
  const auto report = MakeStatusReport(state);
  EXPECT_EQ(report["healthy"], true) << report.dump(1);
  EXPECT_THAT(StatusText(report), HasSubstr("on vm: healthy\n"));
}

// What is no state at all still gives a report.
TEST(StatusReportTest, Empty) {
  EXPECT_EQ(MakeStatusReport(nlohmann::json::object())["healthy"], false);
  EXPECT_THAT(StatusText(MakeStatusReport(nlohmann::json::object())), HasSubstr("PROCESS"));
}

}  // namespace
}  // namespace stoker::cli
