#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "services/common/pprof/hash_index.h"
#include "services/common/pprof/string_table.h"
#include "services/store/symbols.h"

namespace stoker::store {

// Stacks merged by function names, from the root on: what a flame graph shows. Node 0 is the root;
// a node's parent has a smaller number. Values never become negative.
class Tree {
 public:
  static constexpr std::uint32_t kRoot = 0;
  struct Node {
    std::uint32_t name = 0;
    std::uint32_t parent = kRoot;
    std::int64_t self = 0;
    // Filled by ComputeTotals.
    std::int64_t total = 0;
  };

  Tree() { nodes_.push_back({}); }

  // Adds the stacks of one block: `values[n]` is the value of stack n of `symbols`.
  void Add(const Symbols& symbols, std::span<const std::int64_t> values);
  // Adds one stack of names, the root first.
  void AddStack(std::span<const std::string_view> names, std::int64_t value);

  // Keeps only what lies under the path `call_site`, names from the root on; the path itself stays.
  void Restrict(std::span<const std::string> call_site);

  // Call after the last Add and before reading.
  void Finish();

  [[nodiscard]] const std::vector<Node>& nodes() const { return nodes_; }
  [[nodiscard]] std::string_view Name(const Node& node) const { return names_.Get(node.name); }
  [[nodiscard]] std::int64_t total() const { return nodes_[kRoot].total; }
  // By name, in lexicographic order of bytes.
  [[nodiscard]] std::span<const std::uint32_t> Children(std::uint32_t node) const {
    return {children_.data() + first_child_[node], first_child_[node + 1] - first_child_[node]};
  }

 private:
  std::uint32_t Child(std::uint32_t parent, std::uint32_t name);

  pprof::StringTable names_;
  std::vector<Node> nodes_;
  pprof::HashIndex index_;
  // The children of node n: children_[first_child_[n], first_child_[n + 1]).
  std::vector<std::uint32_t> children_;
  std::vector<std::uint32_t> first_child_;
};

// The text of a frame that nobody has named: `[libc.so.6]` for an address in /lib/libc.so.6,
// `[unknown]` without a mapping.
std::string UnresolvedName(const Symbols& symbols, const Symbols::Location& location);

}  // namespace stoker::store
