#include "services/common/config/graph/reference_graph.h"

#include <algorithm>
#include <deque>
#include <set>
#include <unordered_map>

#include <fmt/format.h>

#include "services/common/config/eval/scope.h"

namespace stoker::config {
namespace {

// Through arguments and exports of modules; more is a cycle among them.
constexpr int kMaxRedirections = 200;

void Visit(const Module& module, const Expression& expression, int redirections,
           const VisitExport& visit, Diagnostics& diagnostics) {
  ForEachChain(expression, [&](const Chain& chain) {
    const Reference reference = FindReference(module, chain);
    switch (reference.kind) {
      case Reference::Kind::kNone:
      case Reference::Kind::kVariable:
        return;
      case Reference::Kind::kError:
        return diagnostics.Error(chain.span, reference.error);
      case Reference::Kind::kExport:
        return visit(*reference.component, *reference.exported);
      case Reference::Kind::kExpression:
        break;
    }
    if (redirections >= kMaxRedirections) {
      return diagnostics.Error(chain.span, "cycle detected: arguments and exports of modules");
    }
    if (reference.expression != nullptr) {
      Visit(*reference.module, *reference.expression, redirections + 1, visit, diagnostics);
    }
  });
}

template <typename Function>
void ForEachExpression(const Body& body, const Function& function) {
  for (const Statement& statement : body.statements) {
    if (const Attribute* attribute = statement.attribute()) {
      function(attribute->value);
    } else {
      ForEachExpression(statement.block()->body, function);
    }
  }
}

// Components as numbers, with edges from each to what it depends on.
class Graph {
 public:
  Graph(const Program& program, Diagnostics& diagnostics)
      : program_(program), diagnostics_(diagnostics) {
    for (const Component& component : program.components) {
      const std::size_t number = numbers_.size();
      numbers_.emplace(&component, number);
    }
    uses_.resize(numbers_.size());
    used_by_.resize(numbers_.size());
    for (const Component& component : program.components) AddEdges(component);
  }

  std::vector<const Component*> Order() {
    std::vector<const Component*> order;
    std::vector<std::size_t> left(uses_.size());
    std::deque<std::size_t> ready;
    for (std::size_t i = 0; i < uses_.size(); ++i) {
      left[i] = uses_[i].size();
      if (left[i] == 0) ready.push_back(i);
    }
    while (!ready.empty()) {
      const std::size_t number = ready.front();
      ready.pop_front();
      order.push_back(&program_.components[number]);
      for (const std::size_t user : used_by_[number]) {
        if (--left[user] == 0) ready.push_back(user);
      }
    }
    if (order.size() < uses_.size()) ReportCycles(left);
    return order;
  }

 private:
  void AddEdges(const Component& component) {
    const std::size_t from = numbers_.at(&component);
    ForEachExpression(component.block->body, [&](const Expression& expression) {
      const auto visit = [&](const Component& used, const ExportSchema&) {
        if (&used == &component) {
          diagnostics_.Error(expression.span, "cannot reference self");
        } else if (uses_[from].insert(numbers_.at(&used)).second) {
          used_by_[numbers_.at(&used)].push_back(from);
        }
      };
      Visit(*component.module, expression, 0, visit, diagnostics_);
    });
  }

  // What is left over uses a cycle; those that also are used by one are its members.
  void ReportCycles(const std::vector<std::size_t>& left) {
    std::vector<std::size_t> users(uses_.size());
    std::deque<std::size_t> outside;
    for (std::size_t i = 0; i < uses_.size(); ++i) {
      if (left[i] == 0) continue;
      users[i] =
          static_cast<std::size_t>(std::count_if(used_by_[i].begin(), used_by_[i].end(),
                                                 [&](std::size_t user) { return left[user] > 0; }));
      if (users[i] == 0) outside.push_back(i);
    }
    std::set<std::size_t> peeled;
    while (!outside.empty()) {
      const std::size_t number = outside.front();
      outside.pop_front();
      peeled.insert(number);
      for (const std::size_t used : uses_[number]) {
        if (left[used] > 0 && --users[used] == 0) outside.push_back(used);
      }
    }
    std::string members;
    for (std::size_t i = 0; i < uses_.size(); ++i) {
      if (left[i] == 0 || peeled.contains(i)) continue;
      members += (members.empty() ? "" : ", ") + program_.components[i].id;
    }
    for (std::size_t i = 0; i < uses_.size(); ++i) {
      if (left[i] == 0 || peeled.contains(i)) continue;
      diagnostics_.Error(program_.components[i].block->name_span, "cycle detected: " + members);
    }
  }

  const Program& program_;
  Diagnostics& diagnostics_;
  std::unordered_map<const Component*, std::size_t> numbers_;
  std::vector<std::set<std::size_t>> uses_;
  std::vector<std::vector<std::size_t>> used_by_;
};

}  // namespace

void ForEachExport(const Module& module, const Expression& expression, const VisitExport& visit,
                   Diagnostics& diagnostics) {
  Visit(module, expression, 0, visit, diagnostics);
}

std::vector<const Component*> OrderComponents(const Program& program, Diagnostics& diagnostics) {
  return Graph(program, diagnostics).Order();
}

}  // namespace stoker::config
