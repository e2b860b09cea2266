#include "services/common/config/eval/scope.h"

#include <algorithm>

namespace stoker::config {

std::optional<Chain> ChainOf(const Expression& expression) {
  Chain chain{.span = expression.span};
  const Expression* at = &expression;
  while (at->kind == Expression::Kind::kAccess) {
    chain.names.push_back(at->text);
    at = at->operands.data();
  }
  if (at->kind != Expression::Kind::kIdentifier) return std::nullopt;
  chain.names.push_back(at->text);
  std::reverse(chain.names.begin(), chain.names.end());
  return chain;
}

}  // namespace stoker::config
