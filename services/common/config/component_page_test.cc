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
  const auto notes = MachineEnvironment().ReadFile(NotesPath(component.name), 1 << 20);
  return ComponentPage(component, example, notes.ok() ? *notes : "");
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

// Notes take the place of what is said of every component, and stand before the example.
TEST(ComponentPageTest, Notes) {
  const std::string page = ComponentPage(*FindComponent("local.file"), "EXAMPLE\n",
                                         "## Of its own\n\nHere.\n\n## Debug metrics\n\nNone.\n");
  EXPECT_NE(
      page.find("\n## Of its own\n\nHere.\n\n## Debug metrics\n\nNone.\n\n## Component health\n"),
      std::string::npos)
      << page;
  EXPECT_EQ(page.find("the label `component_id` names it"), std::string::npos);
  EXPECT_LT(page.find("None."), page.find("EXAMPLE"));
}

}  // namespace
}  // namespace stoker::config
