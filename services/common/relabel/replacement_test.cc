#include "services/common/relabel/replacement.h"

#include <gtest/gtest.h>

namespace stoker::relabel {
namespace {

std::string Expand(std::string_view text) {
  const RE2 regex("(?P<first>[a-z]+)-([a-z]+)");
  const std::vector<std::string_view> groups = {"ab-cd", "ab", "cd"};
  return Replacement(text, regex).Expand(groups);
}

// Numbers, names and `$$` as in Go's regexp.Expand.
TEST(ReplacementTest, Expands) {
  EXPECT_EQ(Expand("$1"), "ab");
  EXPECT_EQ(Expand("x${2}y$1"), "xcdyab");
  EXPECT_EQ(Expand("$0"), "ab-cd");
  EXPECT_EQ(Expand("${first}/$2"), "ab/cd");
  EXPECT_EQ(Expand("$$1"), "$1");
  EXPECT_EQ(Expand("plain"), "plain");
  EXPECT_EQ(Expand(""), "");
}

// A name is as long as it can be; unknown groups are empty; a lone `$` stays.
TEST(ReplacementTest, Edges) {
  EXPECT_EQ(Expand("$1x"), "");
  EXPECT_EQ(Expand("$1-x"), "ab-x");
  EXPECT_EQ(Expand("[$3${nothing}$99999999999]"), "[]");
  EXPECT_EQ(Expand("$01"), "");
  EXPECT_EQ(Expand("a$"), "a$");
  EXPECT_EQ(Expand("${1"), "${1");
  EXPECT_EQ(Expand("${}$-"), "${}$-");
}

}  // namespace
}  // namespace stoker::relabel
