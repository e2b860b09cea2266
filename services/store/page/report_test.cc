#include "services/store/page/report.h"

#include <string>

#include <gtest/gtest.h>

namespace stoker::store {
namespace {

std::size_t Count(std::string_view text, std::string_view part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++count;
  return count;
}

// Others fill the place of the profile too, so it is there once and reads as they expect.
TEST(ReportTest, HasThePlaceOfTheProfile) {
  EXPECT_EQ(
      Count(ReportTemplate(), R"(<script id="profile" type="application/json">null</script>)"), 1u);
}

// A function may be named so that it would end the script; the page stays whole all the same.
TEST(ReportTest, HostileNamesStayInTheirPlace) {
  const std::string page = MakeReport(R"({"title":"</script><b>"})");
  EXPECT_EQ(Count(page, "</script>"), Count(ReportTemplate(), "</script>"));
  EXPECT_EQ(Count(page, R"({"title":"\u003c/script>\u003cb>"}</script>)"), 1u);
}

// A report refers to no other file and no other host, and its policy lets it ask for nothing.
TEST(ReportTest, StandsAlone) {
  const std::string_view page = ReportTemplate();
  EXPECT_EQ(Count(page, "data-inline"), 0u);
  EXPECT_EQ(Count(page, " src="), 0u);
  EXPECT_EQ(Count(page, "url(\"") + Count(page, "href=\""),
            Count(page, "url(\"data:") + Count(page, "href=\"data:"));
  EXPECT_EQ(Count(page, "default-src 'none'; script-src 'sha256-"), 1u);
}

// It is mailed about and kept, so it stays below the page's budget even without compression.
TEST(ReportTest, IsLight) { EXPECT_LT(ReportTemplate().size(), 150u * 1024); }

}  // namespace
}  // namespace stoker::store
