#include "services/common/config/eval/evaluator.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "services/common/base/status.h"
#include "services/common/config/eval/number.h"
#include "services/common/config/eval/operators.h"
#include "services/common/config/eval/standard_library.h"

namespace stoker::config {

std::optional<Value> Evaluator::Refuse(const Span& span, std::string message) {
  diagnostics_.Error(span, std::move(message));
  return std::nullopt;
}

std::optional<Value> Evaluator::Evaluate(const Expression& expression) {
  switch (expression.kind) {
    case Expression::Kind::kNull:
      return Value();
    case Expression::Kind::kBool:
      return Value(expression.text == "true");
    case Expression::Kind::kNumber:
      return ParseNumberLiteral(expression.text);
    case Expression::Kind::kString:
      return Value(expression.text);
    case Expression::Kind::kArray:
      return EvaluateArray(expression);
    case Expression::Kind::kObject:
      return EvaluateObject(expression);
    case Expression::Kind::kIdentifier:
    case Expression::Kind::kAccess:
      return EvaluateAccess(expression);
    case Expression::Kind::kIndex:
      return EvaluateIndex(expression);
    case Expression::Kind::kCall:
      return EvaluateCall(expression);
    case Expression::Kind::kUnary:
      return EvaluateUnary(expression);
    case Expression::Kind::kBinary:
      return EvaluateBinary(expression);
    case Expression::Kind::kParen:
      return Evaluate(expression.operands[0]);
  }
  return std::nullopt;
}

std::optional<Value> Evaluator::EvaluateArray(const Expression& expression) {
  Value::Array array;
  array.reserve(expression.operands.size());
  for (const Expression& operand : expression.operands) {
    std::optional<Value> element = Evaluate(operand);
    if (!element) return std::nullopt;
    array.push_back(*std::move(element));
  }
  return Value(std::move(array));
}

std::optional<Value> Evaluator::EvaluateObject(const Expression& expression) {
  Value::Object object;
  for (const ObjectField& field : expression.fields) {
    std::optional<Value> value = Evaluate(field.value);
    if (!value) return std::nullopt;
    object.insert_or_assign(field.name, *std::move(value));
  }
  return Value(std::move(object));
}

std::optional<Value> Evaluator::EvaluateAccess(const Expression& expression) {
  if (const auto chain = ChainOf(expression)) return EvaluateChain(expression, *chain);
  const std::optional<Value> object = Evaluate(expression.operands[0]);
  return object ? Access(*object, expression.text, expression.span) : std::nullopt;
}

std::optional<Value> Evaluator::EvaluateChain(const Expression& expression, const Chain& chain) {
  bool failed = false;
  std::optional<Scope::Match> match = scope_.Resolve(chain, diagnostics_, failed);
  if (failed) return std::nullopt;
  if (!match) {
    const std::optional<Value> known = FindStandard(chain.names[0], environment_);
    if (!known) {
      return Refuse(chain.span, fmt::format("identifier \"{}\" does not exist", chain.names[0]));
    }
    match = Scope::Match{*known, 1};
  }
  std::optional<Value> value = std::move(match->value);
  for (std::size_t i = match->names; value && i < chain.names.size(); ++i) {
    value = Access(*value, chain.names[i], expression.span);
  }
  return value;
}

std::optional<Value> Evaluator::Access(const Value& object, std::string_view name,
                                       const Span& span) {
  if (const auto* target = object.target()) {
    const std::string_view value = (*target)->labels.Get(name);
    if (!value.empty()) return Value(value);
  } else if (object.object() != nullptr) {
    const auto it = object.object()->find(name);
    if (it != object.object()->end()) return it->second;
  } else {
    return Refuse(span, fmt::format("cannot access field \"{}\" on value of type {}", name,
                                    TypeName(object.type())));
  }
  return Refuse(span, fmt::format("field \"{}\" does not exist", name));
}

std::optional<Value> Evaluator::EvaluateIndex(const Expression& expression) {
  const std::optional<Value> container = Evaluate(expression.operands[0]);
  const std::optional<Value> index = container ? Evaluate(expression.operands[1]) : std::nullopt;
  if (!index) return std::nullopt;
  absl::StatusOr<Value> element = Index(*container, *index);
  if (element.ok()) return *std::move(element);
  const bool of_container = element.status().code() == absl::StatusCode::kFailedPrecondition;
  return Refuse(expression.operands[of_container ? 0 : 1].span,
                std::string(Message(element.status())));
}

std::optional<Value> Evaluator::EvaluateCall(const Expression& expression) {
  const Expression& callee = expression.operands[0];
  const std::optional<Value> function = Evaluate(callee);
  if (!function) return std::nullopt;
  if (function->function() == nullptr) {
    return Refuse(callee.span, fmt::format("{} should be function, got {}", callee.span.text(),
                                           TypeName(function->type())));
  }
  Value::Array arguments;
  for (std::size_t i = 1; i < expression.operands.size(); ++i) {
    std::optional<Value> argument = Evaluate(expression.operands[i]);
    if (!argument) return std::nullopt;
    arguments.push_back(*std::move(argument));
  }
  absl::StatusOr<Value> result = function->function()->call(arguments);
  if (result.ok()) return *std::move(result);
  return Refuse(expression.span,
                fmt::format("{}: {}", function->function()->name, Message(result.status())));
}

std::optional<Value> Evaluator::EvaluateUnary(const Expression& expression) {
  const std::optional<Value> operand = Evaluate(expression.operands[0]);
  if (!operand) return std::nullopt;
  absl::StatusOr<Value> result = ApplyUnary(expression.op, *operand);
  if (result.ok()) return *std::move(result);
  return Refuse(expression.operands[0].span,
                fmt::format("{} {}", expression.operands[0].span.text(), Message(result.status())));
}

std::optional<Value> Evaluator::EvaluateBinary(const Expression& expression) {
  const std::optional<Value> left = Evaluate(expression.operands[0]);
  const std::optional<Value> right = left ? Evaluate(expression.operands[1]) : std::nullopt;
  if (!right) return std::nullopt;
  // The operand that is wrong is named, the left one first.
  for (std::size_t i = 0; i < 2; ++i) {
    const Expression& operand = expression.operands[i];
    const absl::Status status = CheckOperand(expression.op, i == 0 ? *left : *right);
    if (!status.ok()) {
      return Refuse(operand.span, fmt::format("{} {}", operand.span.text(), Message(status)));
    }
  }
  absl::StatusOr<Value> result = ApplyBinary(expression.op, *left, *right);
  if (result.ok()) return *std::move(result);
  return Refuse(expression.span, std::string(Message(result.status())));
}

}  // namespace stoker::config
