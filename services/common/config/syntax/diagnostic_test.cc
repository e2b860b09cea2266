#include "services/common/config/syntax/diagnostic.h"

#include <string>

#include <gtest/gtest.h>

namespace stoker::config {
namespace {

std::string RenderAt(const std::string& text, std::uint32_t begin, std::uint32_t end) {
  const SourceFile file("testfile", text);
  return Render({Severity::kError, {&file, begin, end}, "synthetic error"});
}

// A span on one line is underlined between the lines around it, tabs as four blanks.
TEST(DiagnosticTest, UnderlinesOneLine) {
  EXPECT_EQ(RenderAt("block \"label\" {\n\tattr = 1\n\tother = 2\n}", 17, 21),
            "Error: testfile:2:2: synthetic error\n"
            "\n"
            "1 | block \"label\" {\n"
            "2 |     attr = 1\n"
            "  |     ^^^^\n"
            "3 |     other = 2\n");
}

// Line numbers are as wide as the widest.
TEST(DiagnosticTest, PadsLineNumbers) {
  EXPECT_EQ(RenderAt("1\n2\n3\n4\n5\n6\n7\n8\nnine\n10\n11", 16, 20),
            "Error: testfile:9:1: synthetic error\n"
            "\n"
            " 8 | 8\n"
            " 9 | nine\n"
            "   | ^^^^\n"
            "10 | 10\n");
}

// A span of several lines is drawn with a bar at its side.
TEST(DiagnosticTest, DrawsBarForSeveralLines) {
  const std::string text = "BEGIN\nbefore START\nTEXT\n\t\t\tDONE after\nEND";
  EXPECT_EQ(RenderAt(text, 13, 31),
            "Error: testfile:2:8: synthetic error\n"
            "\n"
            "1 |   BEGIN\n"
            "2 |   before START\n"
            "  |  ________^^^^^\n"
            "3 | | TEXT\n"
            "4 | |             DONE after\n"
            "  | |_____________^^^^\n"
            "5 |   END\n");
}

// An empty span at the end of the text still has a place.
TEST(DiagnosticTest, MarksTheEnd) {
  EXPECT_EQ(RenderAt("a = ", 4, 4),
            "Error: testfile:1:5: synthetic error\n"
            "\n"
            "1 | a =\n"
            "  |     ^\n");
}

// More errors than are kept are counted; what is said twice of one place is kept once.
TEST(DiagnosticTest, BoundsTheirNumber) {
  const SourceFile file("testfile", std::string(1000, 'x'));
  Diagnostics diagnostics;
  for (std::uint32_t i = 0; i < 105; ++i) {
    diagnostics.Error({&file, i, i + 1}, "wrong");
    diagnostics.Error({&file, i, i + 1}, "wrong");
  }
  EXPECT_EQ(diagnostics.all().size(), Diagnostics::kMax);
  EXPECT_TRUE(diagnostics.RenderErrors().find("more\n") != std::string::npos);
}

}  // namespace
}  // namespace stoker::config
