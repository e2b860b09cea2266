#include "services/store/dot_graph.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace stoker::store {
namespace {

constexpr std::size_t kDefaultNodes = 100;

// What one function adds up to over the whole tree.
struct Sums {
  std::int64_t self = 0;
  // Of the stacks that have it, each once however often it is in there.
  std::int64_t total = 0;
};

// Functions, and calls of one by another, by the numbers of their names.
struct Graph {
  std::map<std::uint32_t, Sums> functions;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::int64_t> calls;
};

// Walks the tree and knows at each node which functions and calls lie above it.
class Walk {
 public:
  Walk(const Tree& tree, Graph& graph) : tree_(tree), graph_(graph) {}

  void Run() {
    // Children that are still to be visited; a node is on the path while its children are.
    struct Step {
      std::uint32_t node;
      bool leave;
    };
    std::vector<Step> steps;
    for (const std::uint32_t child : tree_.Children(Tree::kRoot)) steps.push_back({child, false});
    while (!steps.empty()) {
      const Step step = steps.back();
      steps.pop_back();
      if (step.leave) {
        Leave(step.node);
        continue;
      }
      Enter(step.node);
      steps.push_back({step.node, true});
      for (const std::uint32_t child : tree_.Children(step.node)) steps.push_back({child, false});
    }
  }

 private:
  [[nodiscard]] std::pair<std::uint32_t, std::uint32_t> CallOf(const Tree::Node& node) const {
    return {tree_.nodes()[node.parent].name, node.name};
  }

  void Enter(std::uint32_t number) {
    const Tree::Node& node = tree_.nodes()[number];
    Sums& sums = graph_.functions[node.name];
    sums.self += node.self;
    if (functions_above_[node.name]++ == 0) sums.total += node.total;
    if (node.parent == Tree::kRoot) return;
    if (calls_above_[CallOf(node)]++ == 0) graph_.calls[CallOf(node)] += node.total;
  }

  void Leave(std::uint32_t number) {
    const Tree::Node& node = tree_.nodes()[number];
    --functions_above_[node.name];
    if (node.parent != Tree::kRoot) --calls_above_[CallOf(node)];
  }

  const Tree& tree_;
  Graph& graph_;
  std::map<std::uint32_t, int> functions_above_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, int> calls_above_;
};

std::string Quoted(std::string_view text) {
  std::string quoted;
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    if (c == '\n' || c == '\r') {
      quoted += "\\n";
    } else {
      quoted += c;
    }
  }
  return quoted;
}

double Share(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

std::string EncodeDot(const Tree& tree, std::string_view sample_type, std::string_view unit,
                      std::int64_t max_nodes) {
  const std::int64_t all = tree.total();
  if (all == 0) return "";
  Graph graph;
  Walk(tree, graph).Run();

  const auto name = [&](std::uint32_t number) { return tree.Name({.name = number}); };
  std::vector<std::pair<std::uint32_t, Sums>> drawn(graph.functions.begin(), graph.functions.end());
  std::ranges::sort(drawn, [&](const auto& a, const auto& b) {
    if (a.second.total != b.second.total) return a.second.total > b.second.total;
    return name(a.first) < name(b.first);
  });
  const std::size_t limit = max_nodes > 0 ? static_cast<std::size_t>(max_nodes) : kDefaultNodes;
  if (drawn.size() > limit) drawn.resize(limit);
  std::map<std::uint32_t, std::size_t> numbers;
  std::int64_t shown = 0;
  for (const auto& [function, sums] : drawn) {
    numbers.emplace(function, numbers.size() + 1);
    shown += sums.self;
  }

  const auto value = [&](std::int64_t v) { return fmt::format("{} {}", v, Quoted(unit)); };
  std::string out = fmt::format(
      "digraph \"{0}\" {{\nnode [style=filled fillcolor=\"#f8f8f8\"]\n"
      "subgraph cluster_L {{ \"Type: {0}\" [shape=box fontsize=16 label=\"Type: {0}\\l"
      "Showing nodes accounting for {1}, {2:.2f}% of {3} total\\l\"] }}\n",
      Quoted(sample_type), value(shown), Share(shown, all), value(all));
  for (const auto& [function, sums] : drawn) {
    const std::string text = Quoted(name(function));
    // Large text for large values of their own, from 8 to 24 points.
    const auto size = static_cast<int>(8 + std::lround(std::sqrt(Share(sums.self, all)) * 1.6));
    out += fmt::format(
        "N{0} [label=\"{1}\\n{2} ({3:.2f}%)\\nof {4} ({5:.2f}%)\" id=\"node{0}\" fontsize={6} "
        "shape=box tooltip=\"{1} ({4})\"]\n",
        numbers[function], text, value(sums.self), Share(sums.self, all), value(sums.total),
        Share(sums.total, all), size);
  }
  for (const auto& [call, sum] : graph.calls) {
    const auto caller = numbers.find(call.first);
    const auto callee = numbers.find(call.second);
    if (caller == numbers.end() || callee == numbers.end()) continue;
    out += fmt::format("N{} -> N{} [label=\" {}\" weight={} tooltip=\"{} -> {} ({})\"]\n",
                       caller->second, callee->second, value(sum),
                       1 + static_cast<int>(Share(sum, all)), Quoted(name(call.first)),
                       Quoted(name(call.second)), value(sum));
  }
  return out + "}\n";
}

}  // namespace stoker::store
