#include "services/common/config/syntax/parser.h"

#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/common/config/syntax/syntax_dump.h"

namespace stoker::config {
namespace {

using ::testing::HasSubstr;

// The errors of a text as "line:column: message".
std::vector<std::string> ErrorsOf(const std::string& text) {
  const SourceFile file("test", text);
  Diagnostics diagnostics;
  ParseFile(file, diagnostics);
  std::vector<std::string> errors;
  for (const Diagnostic& diagnostic : diagnostics.all()) {
    const Position position = file.PositionOf(diagnostic.span.begin);
    errors.push_back(fmt::format("{}:{}: {}", position.line, position.column, diagnostic.message));
  }
  return errors;
}

std::string Parsed(const std::string& text) {
  const SourceFile file("test", text);
  Diagnostics diagnostics;
  const Body body = ParseFile(file, diagnostics);
  return diagnostics.has_errors() ? diagnostics.RenderErrors() : Dump(body);
}

// Statements, blocks and expressions group as the grammar says.
TEST(ParserTest, ParsesTheGrammar) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", ""},
      {"\xEF\xBB\xBF"
       "a = 1",
       "a=1;"},
      {"a = 1\r\nb = 2\r\n", "a=1;b=2;"},
      {"a { b = 1 }", "a:{b=1;};"},
      {"a { b { c = 1 } }", "a:{b:{c=1;};};"},
      {"a.b.c \"l\" {\n}", "a.b.c:l{};"},
      {"a = 3 + 5 * 2", "a=<3+<5*2>>;"},
      {"a = 1 - 2 - 3", "a=<<1-2>-3>;"},
      {"a = 2 ^ 3 ^ 2", "a=<2^<3^2>>;"},
      {"a = -2 ^ 2", "a=<<-2>^2>;"},
      {"a = !b && c || d == e", "a=<<<!b>&&c>||<d==e>>;"},
      {"a = b.c[0](\"x\", [1,],).d", "a=b.c[0](\"x\",[1,],).d;"},
      {"a = [\n1,\n2,\n]", "a=[1,2,];"},
      {"a = {b = 1, \"c d\" = {},}", "a={b=1,c d={},};"},
      {"a = `raw \\n\r\n`", "a=\"raw \\\\n\\n\";"},
      {"a = \"\\t\\x41\\101\\u00e4\\U0001F600\"", "a=\"\\tAA\xC3\xA4\xF0\x9F\x98\x80\";"},
      {"a = 1 + // more\n 2 /* and\n more */", "a=<1+2>;"},
      {"\xC3\xA4 = null", "\xC3\xA4=null;"},
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(Parsed(text), expected) << text;
}

// Each lexical and syntactic error gives its place and message.
TEST(ParserTest, ReportsErrors) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"a.b = 1", "1:1: attribute names may only consist of a single identifier with no \".\""},
      {"x \"label\" = 1", "1:3: attribute names may not have labels"},
      {"blk name {\n}", "1:5: expected block label, got IDENT"},
      {"blk \"with space\" {\n}",
       "1:5: expected block label to be a valid identifier, but got \"with space\""},
      {"blk `raw` {\n}",
       "1:5: expected block label to be a double quoted string, but got a raw string"},
      {"blk \"a\" 1", "1:9: expected block body, got NUMBER"},
      {"blk 1", "1:5: expected attribute assignment or block body, got NUMBER"},
      {"1 = 2", "1:1: expected identifier, got NUMBER"},
      {"a.true {\n}", "1:3: expected IDENT, got BOOL"},
      {"a = 1 + + 2", "1:9: expected expression, got +"},
      {"a = ", "1:5: expected expression, got EOF"},
      {"a = 1 b = 2", "1:7: expected TERMINATOR, got IDENT"},
      {"a = b {\n}", "1:7: cannot use a block as an expression"},
      {"a = [1\n2]", "1:7: missing ',' in expression list"},
      {"a = {b = 1\nc = 2}", "1:11: missing ',' in field list"},
      {"a = {1337 = 1}", "1:6: expected field name (string or identifier), got NUMBER"},
      {"a = (1", "1:7: expected ), got TERMINATOR"},
      {"a {", "1:4: expected }, got EOF"},
      {"}", "1:1: expected identifier, got }"},
      {"a = 'x'", "1:5: illegal single-quoted string; use double quotes"},
      {"a = \"x", "1:5: string literal not terminated"},
      {"a = `x", "1:5: raw string literal not terminated"},
      {"a = \"\\q\"", "1:6: unknown escape sequence"},
      {"a = \"\\ud800\"", "1:6: escape sequence is invalid Unicode code point"},
      {"a = 1e", "1:5: exponent has no digits"},
      {"a = 1 | 2", "1:7: missing second | in ||"},
      {"a = 1 & 2", "1:7: missing second & in &&"},
      {"a = @", "1:5: illegal character U+0040 '@'"},
      {std::string("a = \0", 5), "1:5: illegal character NUL"},
      {"a = \xFF", "1:5: illegal UTF-8 encoding"},
      {"a = \"\xFF\"", "1:6: illegal UTF-8 encoding"},
      {"a = 1\n\xEF\xBB\xBF", "2:1: illegal byte order mark"},
      {"a = 1 /* x", "1:7: block comment not terminated"},
  };
  for (const auto& [text, expected] : cases) {
    const auto errors = ErrorsOf(text);
    ASSERT_FALSE(errors.empty()) << text;
    EXPECT_EQ(errors[0], expected) << text;
  }
}

// The parser goes on after an error: one run finds the errors of several statements, one a line.
TEST(ParserTest, Recovers) {
  EXPECT_THAT(ErrorsOf("a = @ @\nb = 1\nc {\n  d = 1 2\n  e = [1 2]\n}\nf \"g\" = 1\n"),
              ::testing::ElementsAre("1:5: illegal character U+0040 '@'",
                                     "4:9: expected TERMINATOR, got NUMBER",
                                     "5:10: missing ',' in expression list",
                                     "7:3: attribute names may not have labels"));
}

// What is nested or chained too deep is refused instead of exhausting the stack.
TEST(ParserTest, BoundsDepth) {
  constexpr int kDepth = 10'000;
  std::string blocks;
  std::string sum = "a = 1";
  for (int i = 0; i < kDepth; ++i) {
    blocks += "a {\n";
    sum += " + 1";
  }
  const std::vector<std::string> texts = {
      blocks,
      "a = " + std::string(kDepth, '['),
      "a = " + std::string(kDepth, '('),
      "a = " + std::string(kDepth, '-') + "1",
      "a = " + std::string(kDepth, '{'),
      sum,
  };
  for (const std::string& text : texts) {
    const auto errors = ErrorsOf(text);
    ASSERT_FALSE(errors.empty());
    EXPECT_THAT(errors[0], ::testing::AnyOf(HasSubstr("levels"), HasSubstr("expected")))
        << text.substr(0, 40);
  }
}

// Sizes are bounded: files, and what they hold.
TEST(ParserTest, BoundsSize) {
  EXPECT_THAT(ErrorsOf(std::string(kMaxFileBytes + 1, '\n')),
              ::testing::ElementsAre(HasSubstr("at most 10485760 are read")));
  std::string list = "a = [";
  for (std::size_t i = 0; i <= kMaxNodes; ++i) list += "1,";
  EXPECT_THAT(ErrorsOf(list + "]"), ::testing::ElementsAre(HasSubstr("more than 1048576")));
}

}  // namespace
}  // namespace stoker::config
