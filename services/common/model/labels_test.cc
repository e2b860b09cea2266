#include "services/common/model/labels.h"

#include <gtest/gtest.h>

namespace stoker::model {
namespace {

// Sorted by name; the last of equal names wins; an empty value is no label.
TEST(LabelsTest, Normalizes) {
  const Labels labels{{"b", "1"}, {"a", "2"}, {"b", "3"}, {"c", "x"}, {"c", ""}};
  EXPECT_EQ(labels, (Labels{{"a", "2"}, {"b", "3"}}));
  EXPECT_EQ(labels.ToString(), R"({a="2", b="3"})");
}

// Set replaces, inserts in order, and erases with an empty value.
TEST(LabelsTest, Set) {
  Labels labels{{"m", "1"}};
  labels.Set("a", "0");
  labels.Set("m", "2");
  labels.Set("z", "");
  EXPECT_EQ(labels, (Labels{{"a", "0"}, {"m", "2"}}));
  labels.Set("a", "");
  EXPECT_FALSE(labels.Has("a"));
  EXPECT_EQ(labels.Get("m"), "2");
}

}  // namespace
}  // namespace stoker::model
