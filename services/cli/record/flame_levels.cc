#include "services/cli/record/flame_levels.h"

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace stoker::cli {
namespace {

struct Node {
  std::int64_t total = 0;
  std::int64_t self = 0;
  std::map<std::string, std::unique_ptr<Node>> children;
};

// A node with its place in its row.
struct Placed {
  const std::string* name;
  const Node* node;
  std::int64_t start;
};

std::unique_ptr<Node> MakeTree(const NamedStacks& stacks) {
  auto root = std::make_unique<Node>();
  for (const NamedStacks::Stack& stack : stacks.stacks) {
    Node* node = root.get();
    node->total += stack.value;
    for (const std::uint32_t frame : stack.frames) {
      std::unique_ptr<Node>& child = node->children[stacks.frames[frame].name];
      if (child == nullptr) child = std::make_unique<Node>();
      node = child.get();
      node->total += stack.value;
    }
    node->self += stack.value;
  }
  return root;
}

// Numbers of names, in the order of their first use.
class Names {
 public:
  std::size_t Number(const std::string& name) {
    const auto [entry, is_new] = numbers_.try_emplace(name, names_.size());
    if (is_new) names_.push_back(name);
    return entry->second;
  }
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }

 private:
  std::map<std::string, std::size_t> numbers_;
  std::vector<std::string> names_;
};

}  // namespace

nlohmann::ordered_json ToFlamebearer(const NamedStacks& stacks) {
  const std::unique_ptr<Node> root = MakeTree(stacks);
  const std::string total = "total";
  Names names;
  std::int64_t max_self = 0;
  nlohmann::ordered_json levels = nlohmann::ordered_json::array();
  std::vector<Placed> row = {{&total, root.get(), 0}};
  while (!row.empty()) {
    nlohmann::ordered_json level = nlohmann::ordered_json::array();
    std::vector<Placed> next;
    std::int64_t end = 0;
    for (const Placed& placed : row) {
      level.push_back(placed.start - end);
      level.push_back(placed.node->total);
      level.push_back(placed.node->self);
      level.push_back(names.Number(*placed.name));
      end = placed.start + placed.node->total;
      max_self = std::max(max_self, placed.node->self);
      std::int64_t start = placed.start;
      for (const auto& [name, child] : placed.node->children) {
        next.push_back({&name, child.get(), start});
        start += child->total;
      }
    }
    levels.push_back(std::move(level));
    row = std::move(next);
  }
  return {{"names", names.names()},
          {"levels", std::move(levels)},
          {"numTicks", root->total},
          {"maxSelf", max_self}};
}

}  // namespace stoker::cli
