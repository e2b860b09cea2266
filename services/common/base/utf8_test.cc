#include "services/common/base/utf8.h"

#include <gtest/gtest.h>

namespace stoker {
namespace {

// Code points of every length survive.
TEST(Utf8Test, KeepsValidText) {
  EXPECT_EQ(ToValidUtf8("a é € 𐍈"), "a é € 𐍈");
  std::string_view text = "€x";
  EXPECT_EQ(TakeCodePoint(text), U'€');
  EXPECT_EQ(text, "x");
}

// Each byte of a lone tail, an overlong form, a surrogate, a cut sequence or a number past the last
// is replaced.
TEST(Utf8Test, ReplacesInvalidBytes) {
  EXPECT_EQ(ToValidUtf8("A\x80Z"), "A\uFFFDZ");
  EXPECT_EQ(ToValidUtf8("\xC0\xAF"), "\uFFFD\uFFFD");
  EXPECT_EQ(ToValidUtf8("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(ToValidUtf8("a\xE2\x82"), "a\uFFFD\uFFFD");
  EXPECT_EQ(ToValidUtf8("\xF4\x90\x80\x80"), "\uFFFD\uFFFD\uFFFD\uFFFD");
}

}  // namespace
}  // namespace stoker
