#include "services/store/flame_graph.h"

#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stoker::store {
namespace {

using ::testing::ElementsAre;

struct Stack {
  std::vector<std::string_view> names;
  std::int64_t value;
};

Tree TreeOf(const std::vector<Stack>& stacks) {
  Tree tree;
  for (const Stack& stack : stacks) tree.AddStack(stack.names, stack.value);
  tree.Finish();
  return tree;
}

// pyroscope.md 3.5, from Pyroscope's pkg/model/flamegraph_test.go: order, offsets and numbering.
TEST(FlameGraphTest, PyroscopeVector) {
  const Tree tree = TreeOf({{{"a", "b", "e"}, 1}, {{"a", "c"}, 2}, {{"a", "c", "d"}, 1}});
  const querier::v1::FlameGraph graph = EncodeFlameGraph(tree, 0);
  EXPECT_THAT(graph.names(), ElementsAre("total", "a", "c", "d", "b", "e"));
  ASSERT_EQ(graph.levels_size(), 4);
  EXPECT_THAT(graph.levels(0).values(), ElementsAre(0, 4, 0, 0));
  EXPECT_THAT(graph.levels(1).values(), ElementsAre(0, 4, 0, 1));
  EXPECT_THAT(graph.levels(2).values(), ElementsAre(0, 1, 0, 4, 0, 3, 2, 2));
  EXPECT_THAT(graph.levels(3).values(), ElementsAre(0, 1, 1, 5, 2, 1, 1, 3));
  EXPECT_EQ(graph.total(), 4);
  EXPECT_EQ(graph.max_self(), 2);
}

// Nothing selected is a root alone.
TEST(FlameGraphTest, Empty) {
  const querier::v1::FlameGraph graph = EncodeFlameGraph(TreeOf({}), 8192);
  EXPECT_THAT(graph.names(), ElementsAre("total"));
  ASSERT_EQ(graph.levels_size(), 1);
  EXPECT_THAT(graph.levels(0).values(), ElementsAre(0, 0, 0, 0));
  EXPECT_EQ(graph.total(), 0);
}

// Past max_nodes the smallest become "other", drawn last, and no value is lost.
TEST(FlameGraphTest, Truncates) {
  const Tree tree = TreeOf({{{"a", "b"}, 5}, {{"a", "c"}, 1}, {{"a", "d"}, 2}, {{"e"}, 9}});
  const querier::v1::FlameGraph graph = EncodeFlameGraph(tree, 3);
  EXPECT_THAT(graph.names(), ElementsAre("total", "e", "a", "other", "b"));
  ASSERT_EQ(graph.levels_size(), 3);
  EXPECT_THAT(graph.levels(1).values(), ElementsAre(0, 8, 0, 2, 0, 9, 9, 1));
  EXPECT_THAT(graph.levels(2).values(), ElementsAre(0, 5, 5, 4, 0, 3, 3, 3));
  EXPECT_EQ(graph.total(), 17);
}

// A function named "total" shares the root's name; a nameless one gets a name of its own each time.
TEST(FlameGraphTest, OddNames) {
  const Tree tree = TreeOf({{{"total", ""}, 1}, {{"x", ""}, 1}});
  const querier::v1::FlameGraph graph = EncodeFlameGraph(tree, 0);
  EXPECT_THAT(graph.names(), ElementsAre("total", "x", "", ""));
  EXPECT_THAT(graph.levels(1).values(), ElementsAre(0, 1, 0, 0, 0, 1, 0, 1));
}

// Format TREE: pre-order, the last child first (pyroscope.md 1.8.3 has the bytes of such a tree).
TEST(FlameGraphTest, TreeBytes) {
  const Tree tree = TreeOf({{{"a", "b"}, 1}, {{"a", "c"}, 2}});
  EXPECT_EQ(EncodeTree(tree, 0), std::string("\0\0\1\1a\0\2\1c\2\0\1b\1\0", 15));
  EXPECT_EQ(EncodeTree(TreeOf({}), 0), "");
}

// A diff has both sides' numbers of every node that either has.
TEST(FlameGraphTest, Diff) {
  const Tree left = TreeOf({{{"a", "b"}, 1}, {{"a", "c"}, 2}});
  const Tree right = TreeOf({{{"a", "c"}, 4}, {{"d"}, 8}});
  const querier::v1::FlameGraphDiff graph = EncodeDiff(left, right, 0);
  EXPECT_THAT(graph.names(), ElementsAre("total", "d", "a", "c", "b"));
  ASSERT_EQ(graph.levels_size(), 3);
  EXPECT_THAT(graph.levels(0).values(), ElementsAre(0, 3, 0, 0, 12, 0, 0));
  EXPECT_THAT(graph.levels(1).values(), ElementsAre(0, 3, 0, 0, 4, 0, 2, 0, 0, 0, 0, 8, 8, 1));
  EXPECT_THAT(graph.levels(2).values(), ElementsAre(0, 1, 1, 0, 0, 0, 4, 0, 2, 2, 0, 4, 4, 3));
  EXPECT_EQ(graph.total(), 15);
  EXPECT_EQ(graph.leftticks(), 3);
  EXPECT_EQ(graph.rightticks(), 12);
  EXPECT_EQ(graph.max_self(), 8);
}

// The call site's path stays, with the value of what lies under it alone.
TEST(TreeTest, Restrict) {
  Tree tree;
  for (const Stack& stack : std::vector<Stack>{
           {{"a", "b", "e"}, 1}, {{"a", "b"}, 4}, {{"a", "c"}, 2}, {{"a"}, 8}, {{"b"}, 16}}) {
    tree.AddStack(stack.names, stack.value);
  }
  tree.Restrict(std::vector<std::string>{"a", "b"});
  tree.Finish();
  const querier::v1::FlameGraph graph = EncodeFlameGraph(tree, 0);
  EXPECT_THAT(graph.names(), ElementsAre("total", "a", "b", "e"));
  EXPECT_EQ(graph.total(), 5);
}

// An address without a name shows its module.
TEST(TreeTest, Unresolved) {
  Symbols symbols;
  const std::uint32_t libc =
      symbols.InternMapping({.filename = symbols.InternString("/lib/libc.so.6")});
  const std::uint32_t vdso = symbols.InternMapping({.filename = symbols.InternString("[vdso]")});
  const std::uint32_t inner = symbols.InternFunction({.name = symbols.InternString("inner")});
  const std::uint32_t outer = symbols.InternFunction({.name = symbols.InternString("outer")});
  const std::vector<Symbols::Line> inlined = {{inner, 1}, {outer, 2}};
  const std::uint32_t named = symbols.InternLocation(libc, 0, inlined);
  const std::vector<std::uint32_t> stack = {symbols.InternLocation(Symbols::kNone, 3, {}),
                                            symbols.InternLocation(vdso, 2, {}),
                                            symbols.InternLocation(libc, 1, {}), named};
  std::vector<std::int64_t> values(10);
  values[symbols.InternStack(stack)] = 7;
  Tree tree;
  tree.Add(symbols, values);
  tree.Finish();
  const querier::v1::FlameGraph graph = EncodeFlameGraph(tree, 0);
  EXPECT_THAT(graph.names(),
              ElementsAre("total", "outer", "inner", "[libc.so.6]", "[vdso]", "[unknown]"));
  EXPECT_EQ(graph.total(), 7);
}

}  // namespace
}  // namespace stoker::store
