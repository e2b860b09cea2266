#include "services/common/relabel/letter_case.h"

#include <gtest/gtest.h>

namespace stoker::relabel {
namespace {

// Letters of Unicode are mapped one by one; what is no letter stays.
TEST(LetterCaseTest, Maps) {
  EXPECT_EQ(ToLower("Hello, WORLD 42"), "hello, world 42");
  EXPECT_EQ(ToUpper("straße Éé Ωω"), "STRAßE ÉÉ ΩΩ");
  EXPECT_EQ(ToLower("ÀΣЖ𐐀"), "àσж𐐨");
}

// Bytes that are not UTF-8 become U+FFFD, one each: a lone tail, an overlong form, a surrogate, a
// cut sequence.
TEST(LetterCaseTest, ReplacesInvalidBytes) {
  EXPECT_EQ(ToLower("A\x80Z"), "a\uFFFDz");
  EXPECT_EQ(ToLower("\xC0\xAF"), "\uFFFD\uFFFD");
  EXPECT_EQ(ToUpper("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(ToUpper("a\xE2\x82"), "A\uFFFD\uFFFD");
}

}  // namespace
}  // namespace stoker::relabel
