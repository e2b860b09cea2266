#pragma once

#include <optional>

#include "services/common/config/environment.h"
#include "services/common/config/eval/scope.h"
#include "services/common/config/eval/value.h"
#include "services/common/config/syntax/ast.h"
#include "services/common/config/syntax/diagnostic.h"

namespace stoker::config {

// Evaluates expressions of the Alloy language. Names are looked up in the scope, then in the
// standard library. Not thread-safe; borrows all it is given.
class Evaluator {
 public:
  Evaluator(const Scope& scope, const Environment& environment, Diagnostics& diagnostics)
      : scope_(scope), environment_(environment), diagnostics_(diagnostics) {}

  // Nothing after an error, which was reported with its place.
  std::optional<Value> Evaluate(const Expression& expression);

 private:
  std::optional<Value> EvaluateArray(const Expression& expression);
  std::optional<Value> EvaluateObject(const Expression& expression);
  std::optional<Value> EvaluateChain(const Expression& expression, const Chain& chain);
  std::optional<Value> EvaluateAccess(const Expression& expression);
  std::optional<Value> EvaluateIndex(const Expression& expression);
  std::optional<Value> EvaluateCall(const Expression& expression);
  std::optional<Value> EvaluateUnary(const Expression& expression);
  std::optional<Value> EvaluateBinary(const Expression& expression);

  std::optional<Value> Access(const Value& object, std::string_view name, const Span& span);
  std::optional<Value> Refuse(const Span& span, std::string message);

  const Scope& scope_;
  const Environment& environment_;
  Diagnostics& diagnostics_;
};

}  // namespace stoker::config
