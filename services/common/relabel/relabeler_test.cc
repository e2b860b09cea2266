#include "services/common/relabel/relabeler.h"

#include <gtest/gtest.h>

namespace stoker::relabel {
namespace {

using config::RelabelRule;
using model::Labels;

// Rules run in their order, each on what the one before left, and stop at the first drop.
TEST(RelabelerTest, RunsInOrder) {
  const auto relabeler = Relabeler::Compile(
      {{.source_labels = {"a"}, .target_label = "b", .replacement = "${1}1"},
       {.source_labels = {"b"}, .regex = "drop1", .action = RelabelRule::Action::kDrop},
       {.source_labels = {"b"}, .target_label = "c"}});
  ASSERT_TRUE(relabeler.ok()) << relabeler.status();
  Labels kept{{"a", "x"}};
  EXPECT_TRUE(relabeler->Apply(kept));
  EXPECT_EQ(kept, (Labels{{"a", "x"}, {"b", "x1"}, {"c", "x1"}}));
  Labels dropped{{"a", "drop"}};
  EXPECT_FALSE(relabeler->Apply(dropped));
  EXPECT_FALSE(dropped.Has("c"));
}

// A wrong rule is named by its number.
TEST(RelabelerTest, NamesTheWrongRule) {
  const auto relabeler =
      Relabeler::Compile({{.target_label = "a"}, {.regex = "[", .target_label = "a"}});
  EXPECT_EQ(relabeler.status().message(), "rule 2: regex \"[\": missing ]: [");
}

}  // namespace
}  // namespace stoker::relabel
