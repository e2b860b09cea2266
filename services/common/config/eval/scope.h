#pragma once

#include <optional>
#include <string>
#include <vector>

#include "services/common/config/eval/value.h"
#include "services/common/config/syntax/ast.h"
#include "services/common/config/syntax/diagnostic.h"

namespace stoker::config {

// The names an expression begins with: `discovery.relabel.java.output` and the accesses they are.
struct Chain {
  std::vector<std::string_view> names;
  Span span;
};

// What the names of an expression stand for, beyond the standard library.
class Scope {
 public:
  struct Match {
    Value value;
    // How many names of the chain the value stands for; at least 1.
    std::size_t names = 1;
  };

  virtual ~Scope() = default;

  // The value of the longest beginning of `chain` that is known; nothing when none is, and after an
  // error that was reported (then `failed` is set).
  virtual std::optional<Match> Resolve(const Chain& chain, Diagnostics& diagnostics,
                                       bool& failed) const = 0;
};

// Knows no names.
class EmptyScope final : public Scope {
 public:
  std::optional<Match> Resolve(const Chain&, Diagnostics&, bool&) const override {
    return std::nullopt;
  }
};

// The chain that `expression`, an identifier or an access, is the end of; nothing when it does not
// begin with an identifier.
std::optional<Chain> ChainOf(const Expression& expression);

// Calls `visit` for each chain of an expression that begins with an identifier, as far as it goes.
template <typename Visit>
void ForEachChain(const Expression& expression, const Visit& visit) {
  if (const auto chain = ChainOf(expression)) return visit(*chain);
  for (const Expression& operand : expression.operands) ForEachChain(operand, visit);
  for (const ObjectField& field : expression.fields) ForEachChain(field.value, visit);
}

}  // namespace stoker::config
