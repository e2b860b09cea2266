#include "services/store/selector.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/common/base/status.h"

namespace stoker::store {
namespace {

using ::testing::StartsWith;

bool Selects(const std::string& selector, const model::Labels& labels) {
  const auto parsed = ParseSelector(selector);
  EXPECT_TRUE(parsed.ok()) << selector << ": " << Message(parsed.status());
  return parsed.ok() && parsed->Matches(labels);
}

// The four operators; regular expressions are anchored, and '.' takes a line break.
TEST(SelectorTest, Operators) {
  const model::Labels labels = {{"a", "xyz"}, {"b", "line\nbreak"}};
  EXPECT_TRUE(Selects(R"({a="xyz"})", labels));
  EXPECT_FALSE(Selects(R"({a="xy"})", labels));
  EXPECT_TRUE(Selects(R"({a!="xy"})", labels));
  EXPECT_TRUE(Selects(R"({a=~"x.*"})", labels));
  EXPECT_FALSE(Selects(R"({a=~"y"})", labels));
  EXPECT_FALSE(Selects(R"({a=~"x|y"})", labels));
  EXPECT_TRUE(Selects(R"({a!~"x|y"})", labels));
  EXPECT_TRUE(Selects(R"({b=~"line.break"})", labels));
}

// An absent label is an empty one; all matchers must hold, also several on one label.
TEST(SelectorTest, AbsentAndSeveral) {
  const model::Labels labels = {{"a", "x"}};
  EXPECT_TRUE(Selects("{}", labels));
  EXPECT_TRUE(Selects(R"({b=""})", labels));
  EXPECT_FALSE(Selects(R"({b!=""})", labels));
  EXPECT_TRUE(Selects(R"({b!="y", a=~".+",a!="z",})", labels));
  EXPECT_FALSE(Selects(R"({a="x",a="y"})", labels));
}

// A profile type before the brace, quoted label names, the three quotes and Go's escapes.
TEST(SelectorTest, NamesAndQuotes) {
  const model::Labels labels = {{"__name__", "process_cpu:cpu:nanoseconds:cpu:nanoseconds"},
                                {"service.name", "a\"b\té"}};
  EXPECT_TRUE(Selects("process_cpu:cpu:nanoseconds:cpu:nanoseconds", labels));
  EXPECT_TRUE(Selects("process_cpu:cpu:nanoseconds:cpu:nanoseconds {}", labels));
  EXPECT_TRUE(Selects(R"({"service.name"="a\"b\t\u00e9"})", labels));
  EXPECT_TRUE(Selects(R"({'service.name'='a"b\011\xc3\xa9'})", labels));
  EXPECT_TRUE(Selects("{`service.name`=~`a\"b\\sé`}", labels));
}

// What is no selector is refused with its position.
TEST(SelectorTest, Errors) {
  for (const std::string text :
       {"", " ", "{", "{a}", "{a=}", R"({a="x"} b)", R"({a="x)", R"({a="\q"})", R"({a=="x"})",
        R"({a="x" b="y"})", R"({="x"})", R"({,})"}) {
    const auto parsed = ParseSelector(text);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_THAT(std::string(Message(parsed.status())), StartsWith("parse error: 1:")) << text;
  }
  EXPECT_THAT(std::string(Message(ParseSelector(R"({a=~"("})").status())),
              StartsWith("error parsing regexp"));
}

}  // namespace
}  // namespace stoker::store
