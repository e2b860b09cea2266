#include "services/store/sum_cache.h"

#include <gtest/gtest.h>

namespace stoker::store {
namespace {

SumCache::Sums Hundred(std::int64_t value) {
  return std::make_shared<const std::vector<std::int64_t>>(100, value);
}

// Sums are found under their block and series alone; past its size the longest unused go.
TEST(SumCacheTest, KeepsTheLastUsed) {
  SumCache cache(2'000);
  cache.Put({.block = 1, .series = {1, 2}}, Hundred(12));
  cache.Put({.block = 2, .series = {1, 2}}, Hundred(22));
  EXPECT_EQ(cache.Get({.block = 1, .series = {1}}), nullptr);
  EXPECT_EQ(cache.Get({.block = 3, .series = {1, 2}}), nullptr);
  ASSERT_NE(cache.Get({.block = 1, .series = {1, 2}}), nullptr);
  EXPECT_EQ(cache.Get({.block = 1, .series = {1, 2}})->at(99), 12);
  cache.Put({.block = 3, .series = {}}, Hundred(3));
  EXPECT_EQ(cache.Get({.block = 2, .series = {1, 2}}), nullptr);
  EXPECT_NE(cache.Get({.block = 1, .series = {1, 2}}), nullptr);
  EXPECT_NE(cache.Get({.block = 3, .series = {}}), nullptr);
}

// What is larger than the whole cache is not kept, and nothing breaks.
TEST(SumCacheTest, TooLarge) {
  SumCache cache(10);
  cache.Put({.block = 1}, Hundred(1));
  EXPECT_EQ(cache.Get({.block = 1}), nullptr);
}

}  // namespace
}  // namespace stoker::store
