#include "services/store/flame_graph.h"

#include <algorithm>
#include <array>
#include <functional>
#include <initializer_list>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "services/store/varint.h"

namespace stoker::store {
namespace {

constexpr std::string_view kOther = "other";
constexpr std::size_t kSides = 2;
constexpr std::uint32_t kNoNode = UINT32_MAX;

// One tree, or two over each other, as one array of nodes; the children of a node lie together, by
// name. A side that lacks a node has zeros there.
class Overlay {
 public:
  struct Node {
    std::string_view name;
    std::array<std::int64_t, kSides> total = {};
    std::array<std::int64_t, kSides> self = {};
    std::uint32_t first_child = 0;
    std::uint32_t child_count = 0;
  };

  explicit Overlay(std::initializer_list<const Tree*> trees) : sides_(trees.size()) {
    std::ranges::copy(trees, trees_.begin());
    Numbers root;
    root.fill(kNoNode);
    std::fill_n(root.begin(), sides_, Tree::kRoot);
    Add("total", root);
    for (std::uint32_t n = 0; n < nodes_.size(); ++n) AddChildren(n);
  }

  [[nodiscard]] std::size_t sides() const { return sides_; }
  [[nodiscard]] const std::vector<Node>& nodes() const { return nodes_; }

  // The larger total of the `max_nodes`-th largest node below the root; 0 when there are no more.
  [[nodiscard]] std::int64_t MinTotal(std::int64_t max_nodes) const {
    if (max_nodes <= 0 || static_cast<std::size_t>(max_nodes) >= nodes_.size() - 1) return 0;
    std::vector<std::int64_t> totals;
    totals.reserve(nodes_.size());
    for (std::size_t n = 1; n < nodes_.size(); ++n) totals.push_back(Larger(nodes_[n]));
    const auto nth = totals.begin() + (max_nodes - 1);
    std::nth_element(totals.begin(), nth, totals.end(), std::greater<>());
    return *nth;
  }

  static std::int64_t Larger(const Node& node) { return std::max(node.total[0], node.total[1]); }

 private:
  using Numbers = std::array<std::uint32_t, kSides>;

  void Add(std::string_view name, const Numbers& numbers) {
    Node& node = nodes_.emplace_back();
    node.name = name;
    for (std::size_t side = 0; side < sides_; ++side) {
      if (numbers[side] == kNoNode) continue;
      node.total[side] = trees_[side]->nodes()[numbers[side]].total;
      node.self[side] = trees_[side]->nodes()[numbers[side]].self;
    }
    numbers_.push_back(numbers);
  }

  // Merges the sides' children, which are sorted by name.
  void AddChildren(std::uint32_t parent) {
    const Numbers of_parent = numbers_[parent];
    std::array<std::span<const std::uint32_t>, kSides> left;
    for (std::size_t side = 0; side < sides_; ++side) {
      if (of_parent[side] != kNoNode) left[side] = trees_[side]->Children(of_parent[side]);
    }
    nodes_[parent].first_child = static_cast<std::uint32_t>(nodes_.size());
    while (!left[0].empty() || !left[1].empty()) {
      const std::size_t first =
          left[0].empty() || (!left[1].empty() && Name(1, left[1][0]) < Name(0, left[0][0])) ? 1
                                                                                             : 0;
      const std::string_view name = Name(first, left[first][0]);
      Numbers numbers;
      numbers.fill(kNoNode);
      for (std::size_t side = 0; side < sides_; ++side) {
        if (left[side].empty() || Name(side, left[side][0]) != name) continue;
        numbers[side] = left[side][0];
        left[side] = left[side].subspan(1);
      }
      Add(name, numbers);
    }
    nodes_[parent].child_count =
        static_cast<std::uint32_t>(nodes_.size()) - nodes_[parent].first_child;
  }

  [[nodiscard]] std::string_view Name(std::size_t side, std::uint32_t node) const {
    return trees_[side]->Name(trees_[side]->nodes()[node]);
  }

  std::size_t sides_;
  std::array<const Tree*, kSides> trees_ = {};
  std::vector<Node> nodes_;
  // What each node is in the trees.
  std::vector<Numbers> numbers_;
};

// Numbers names in the order they come; an empty name is a new one each time.
class Names {
 public:
  std::int64_t Number(std::string_view name) {
    const auto next = static_cast<std::int64_t>(in_order_.size());
    if (!name.empty()) {
      const auto [it, inserted] = numbers_.emplace(name, next);
      if (!inserted) return it->second;
    }
    in_order_.push_back(name);
    return next;
  }
  [[nodiscard]] const std::vector<std::string_view>& in_order() const { return in_order_; }

 private:
  std::unordered_map<std::string_view, std::int64_t> numbers_;
  std::vector<std::string_view> in_order_;
};

// What a walk meets: a node of the overlay, or an "other" of several.
struct Visit {
  Overlay::Node node;
  std::array<std::int64_t, kSides> x = {};
  std::size_t level = 0;
};

// The children of `at` from the left to the right, small ones folded into one "other" at the end.
std::vector<Visit> ChildrenOf(const Overlay& overlay, const Visit& at, std::int64_t min_total) {
  std::vector<Visit> children;
  Visit other = {.node = {.name = kOther}};
  std::array<std::int64_t, kSides> x = at.x;
  for (std::size_t side = 0; side < kSides; ++side) x[side] += at.node.self[side];
  for (std::uint32_t i = 0; i < at.node.child_count; ++i) {
    const Overlay::Node& child = overlay.nodes()[at.node.first_child + i];
    const bool folded = Overlay::Larger(child) < min_total || child.name == kOther;
    if (!folded) children.push_back({.node = child, .x = x, .level = at.level + 1});
    for (std::size_t side = 0; side < kSides; ++side) {
      (folded ? other.node.total : x)[side] += child.total[side];
    }
  }
  if (Overlay::Larger(other.node) != 0) {
    other.node.self = other.node.total;
    other.x = x;
    other.level = at.level + 1;
    children.push_back(other);
  }
  return children;
}

struct Encoded {
  Names names;
  // Of each level the numbers of its nodes, from the right to the left.
  std::vector<std::vector<std::int64_t>> levels;
  std::int64_t max_self = 0;
};

Encoded Walk(const Overlay& overlay, std::int64_t max_nodes) {
  const std::int64_t min_total = overlay.MinTotal(max_nodes);
  Encoded out;
  std::vector<Visit> stack = {{.node = overlay.nodes()[0]}};
  while (!stack.empty()) {
    const Visit at = stack.back();
    stack.pop_back();
    if (at.level == out.levels.size()) out.levels.emplace_back();
    std::vector<std::int64_t>& level = out.levels[at.level];
    for (std::size_t side = 0; side < overlay.sides(); ++side) {
      out.max_self = std::max(out.max_self, at.node.self[side]);
      level.insert(level.end(), {at.x[side], at.node.total[side], at.node.self[side]});
    }
    level.push_back(out.names.Number(at.node.name));
    for (const Visit& child : ChildrenOf(overlay, at, min_total)) stack.push_back(child);
  }
  return out;
}

// The wire has nodes from the left, each offset counted from the end of the node before.
void Write(const Encoded& encoded, std::size_t sides, auto& message) {
  const std::size_t width = 3 * sides + 1;
  for (const std::string_view name : encoded.names.in_order()) {
    message.add_names(name.data(), name.size());
  }
  message.set_max_self(encoded.max_self);
  for (const std::vector<std::int64_t>& level : encoded.levels) {
    auto& values = *message.add_levels()->mutable_values();
    values.Reserve(static_cast<int>(level.size()));
    std::array<std::int64_t, kSides> end = {};
    for (std::size_t at = level.size(); at > 0; at -= width) {
      const std::int64_t* const node = &level[at - width];
      for (std::size_t side = 0; side < sides; ++side) {
        const std::int64_t x = node[3 * side];
        const std::int64_t total = node[3 * side + 1];
        values.Add(x - end[side]);
        values.Add(total);
        values.Add(node[3 * side + 2]);
        end[side] = x + total;
      }
      values.Add(node[width - 1]);
    }
  }
}

}  // namespace

querier::v1::FlameGraph EncodeFlameGraph(const Tree& tree, std::int64_t max_nodes) {
  querier::v1::FlameGraph graph;
  const Overlay overlay({&tree});
  Write(Walk(overlay, max_nodes), overlay.sides(), graph);
  graph.set_total(tree.total());
  return graph;
}

querier::v1::FlameGraphDiff EncodeDiff(const Tree& left, const Tree& right,
                                       std::int64_t max_nodes) {
  querier::v1::FlameGraphDiff graph;
  const Overlay overlay({&left, &right});
  Write(Walk(overlay, max_nodes), overlay.sides(), graph);
  graph.set_total(left.total() + right.total());
  graph.set_leftticks(left.total());
  graph.set_rightticks(right.total());
  return graph;
}

std::string EncodeTree(const Tree& tree, std::int64_t max_nodes) {
  std::string out;
  if (tree.total() == 0) return out;
  const Overlay overlay({&tree});
  const std::int64_t min_total = overlay.MinTotal(max_nodes);
  std::vector<Visit> stack = {{.node = overlay.nodes()[0]}};
  stack.back().node.name = "";
  while (!stack.empty()) {
    const Visit at = stack.back();
    stack.pop_back();
    const std::vector<Visit> children = ChildrenOf(overlay, at, min_total);
    PutVarint(at.node.name.size(), out);
    out += at.node.name;
    PutVarint(static_cast<std::uint64_t>(at.node.self[0]), out);
    PutVarint(children.size(), out);
    stack.insert(stack.end(), children.begin(), children.end());
  }
  return out;
}

}  // namespace stoker::store
