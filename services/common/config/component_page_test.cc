#include "services/common/config/component_page.h"

#include <string>

#include <gtest/gtest.h>

#include "services/common/config/environment.h"

namespace stoker::config {
namespace {

std::string Read(const std::string& path) {
  const auto text = MachineEnvironment().ReadFile(path, 1 << 20);
  return text.ok() ? *text : std::string(text.status().message());
}

std::string ReadPage(const std::string& name) {
  return Read("docs/reference/components/" + name + ".md");
}

std::string Page(const ComponentSchema& component) {
  const std::string name(ExampleOf(component.name));
  const std::string example = Read("services/common/config/testdata/" + name + ".alloy");
  EXPECT_NE(example.find(component.name + " \""), std::string::npos) << component.name;
  return ComponentPage(component, example);
}

// The pages in docs are what the schemas say; if not, run component_pages again.
TEST(ComponentPageTest, PagesAreUpToDate) {
  for (const ComponentSchema& component : AllComponents()) {
    EXPECT_EQ(ReadPage(component.name), Page(component)) << component.name;
  }
  EXPECT_EQ(ReadPage("README"), ComponentIndex());
}

// A page names each argument with its default, and each block.
TEST(ComponentPageTest, DescribesArgumentsAndBlocks) {
  const std::string page = Page(*FindComponent("pyroscope.scrape"));
  EXPECT_NE(page.find("| `scrape_interval` | `duration` |"), std::string::npos) << page;
  EXPECT_NE(page.find("| `\"15s\"` | no |"), std::string::npos);
  EXPECT_NE(page.find("| `profiling_config > profile.fgprof` |"), std::string::npos);
}

}  // namespace
}  // namespace stoker::config
