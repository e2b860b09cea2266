#include "services/common/config/syntax/formatter.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "services/common/base/status.h"

namespace stoker::config {
namespace {

std::string Formatted(const std::string& text) {
  const SourceFile file("test", text);
  const auto formatted = FormatFile(file);
  return formatted.ok() ? *formatted : std::string(Message(formatted.status()));
}

// Each text takes its canonical form, and keeps it when it is formatted again.
TEST(FormatterTest, WritesTheCanonicalForm) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", ""},
      {"a=1", "a = 1\n"},
      {"a { }", "a { }\n"},
      {"a {\n\n}\n\n\n", "a { }\n"},
      {"a \"b\" { c = 1 }", "a \"b\" {\n\tc = 1\n}\n"},
      {"a { b { c = 1 } }", "a {\n\tb {\n\t\tc = 1\n\t}\n}\n"},
      {"a = 1\n\n\n\nb = 2", "a = 1\n\nb = 2\n"},
      {"a {\n\n  b = 1\n\n}", "a {\n\tb = 1\n}\n"},
      {"x {\nlong_name = 1\nb = 2\n\nc = 3\n}",
       "x {\n\tlong_name = 1\n\tb         = 2\n\n\tc = 3\n}\n"},
      {"a = [ 1,2 , 3 ]", "a = [1, 2, 3]\n"},
      {"a = [\n1,\n  2,\n]", "a = [\n\t1,\n\t2,\n]\n"},
      {"a = concat([\n{b = 1, c=2},\n], d.e)", "a = concat([\n\t{b = 1, c = 2},\n], d.e)\n"},
      {"a = {\nb = 1,\nlong = 2,\n}", "a = {\n\tb    = 1,\n\tlong = 2,\n}\n"},
      {"a = -1+2*( 3 )^!b [ 0 ] . c", "a = -1 + 2 * (3) ^ !b[0].c\n"},
      {"a = 22 . x", "a = 22 .x\n"},
      {"a = \"b\rc\"", "a = \"b\rc\"\n"},
      {"a = 1 +\n2", "a = 1 +\n\t2\n"},
      {"// head\n\na = 1 // one\nlong = 2 // two\n// tail",
       "// head\n\na    = 1 // one\nlong = 2 // two\n// tail\n"},
      {"a { // why\n b = 1 }", "a { // why\n\tb = 1\n}\n"},
      {"a {\n// nothing\n}", "a {\n\t// nothing\n}\n"},
      {"a = `x\n  y`\nb = 1", "a = `x\n  y`\nb = 1\n"},
      {"a = /* one */ 1", "a = /* one */ 1\n"},
      {"a = [ // first\n1, // one\n]", "a = [ // first\n\t1, // one\n]\n"},
  };
  for (const auto& [text, expected] : cases) {
    EXPECT_EQ(Formatted(text), expected) << text;
    EXPECT_EQ(Formatted(expected), expected) << text;
  }
}

// A file that does not parse is refused with its errors.
TEST(FormatterTest, RefusesWhatDoesNotParse) {
  EXPECT_NE(Formatted("a = ").find("expected expression"), std::string::npos);
}

}  // namespace
}  // namespace stoker::config
