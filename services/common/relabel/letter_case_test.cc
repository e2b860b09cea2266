#include "services/common/relabel/letter_case.h"

#include <gtest/gtest.h>

namespace stoker::relabel {
namespace {

// Letters of Unicode are mapped one by one; what is no letter stays; other bytes are replaced.
TEST(LetterCaseTest, Maps) {
  EXPECT_EQ(ToLower("Hello, WORLD 42"), "hello, world 42");
  EXPECT_EQ(ToUpper("straße Éé Ωω"), "STRAßE ÉÉ ΩΩ");
  EXPECT_EQ(ToLower("ÀΣЖ𐐀"), "àσж𐐨");
  EXPECT_EQ(ToLower("A\x80Z"), "a\uFFFDz");
}

}  // namespace
}  // namespace stoker::relabel
