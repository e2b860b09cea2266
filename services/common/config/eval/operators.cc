#include "services/common/config/eval/operators.h"

#include <string>

#include <fmt/format.h>

#include "services/common/base/status.h"
#include "services/common/config/eval/number.h"

namespace stoker::config {
namespace {

using Type = Value::Type;

enum class Takes { kAny, kBools, kNumbersAndStrings, kNumbersStringsAndSecrets, kNumbers };

Takes OperandsOf(TokenKind op) {
  switch (op) {
    case TokenKind::kEqual:
    case TokenKind::kNotEqual:
      return Takes::kAny;
    case TokenKind::kAnd:
    case TokenKind::kOr:
      return Takes::kBools;
    case TokenKind::kLess:
    case TokenKind::kLessEqual:
    case TokenKind::kGreater:
    case TokenKind::kGreaterEqual:
      return Takes::kNumbersAndStrings;
    case TokenKind::kAdd:
      return Takes::kNumbersStringsAndSecrets;
    default:
      return Takes::kNumbers;
  }
}

absl::Status WrongOperand(std::string_view types, TokenKind op, const Value& operand) {
  return InvalidArgument("should be {} for binop {}, got {}", types, TokenName(op),
                         TypeName(operand.type()));
}

bool Ordered(TokenKind op, std::partial_ordering order) {
  switch (op) {
    case TokenKind::kLess:
      return order < 0;
    case TokenKind::kLessEqual:
      return order <= 0;
    case TokenKind::kGreater:
      return order > 0;
    default:
      return order >= 0;
  }
}

const std::string& TextOf(const Value& value) {
  const auto* secret = value.As<Secret>();
  return secret != nullptr ? secret->value : *value.As<std::string>();
}

bool IsText(const Value& value) {
  return value.type() == Type::kString || value.As<Secret>() != nullptr;
}

// Text that a secret took part in is a secret.
Value AddTexts(const Value& left, const Value& right) {
  std::string text = TextOf(left) + TextOf(right);
  if (left.As<Secret>() != nullptr || right.As<Secret>() != nullptr) {
    return Value(Secret{std::move(text)});
  }
  return Value(std::move(text));
}

absl::Status Mismatch(TokenKind op, const Value& left, const Value& right) {
  return InvalidArgument("cannot apply {} to {} and {}", TokenName(op), TypeName(left.type()),
                         TypeName(right.type()));
}

}  // namespace

absl::Status CheckOperand(TokenKind op, const Value& operand) {
  const Type type = operand.type();
  switch (OperandsOf(op)) {
    case Takes::kAny:
      return absl::OkStatus();
    case Takes::kBools:
      if (type == Type::kBool) return absl::OkStatus();
      return WrongOperand("bool", op, operand);
    case Takes::kNumbersAndStrings:
      if (type == Type::kNumber || type == Type::kString) return absl::OkStatus();
      return WrongOperand("one of [number string]", op, operand);
    case Takes::kNumbersStringsAndSecrets:
      if (type == Type::kNumber || IsText(operand)) return absl::OkStatus();
      return WrongOperand("one of [number string capsule]", op, operand);
    case Takes::kNumbers:
      if (type == Type::kNumber) return absl::OkStatus();
      return WrongOperand("number", op, operand);
  }
  return absl::OkStatus();
}

absl::StatusOr<Value> ApplyBinary(TokenKind op, const Value& left, const Value& right) {
  switch (op) {
    case TokenKind::kEqual:
      return Value(left == right);
    case TokenKind::kNotEqual:
      return Value(!(left == right));
    case TokenKind::kAnd:
      return Value(*left.As<bool>() && *right.As<bool>());
    case TokenKind::kOr:
      return Value(*left.As<bool>() || *right.As<bool>());
    default:
      break;
  }
  const bool numbers = left.number().has_value() && right.number().has_value();
  if (OperandsOf(op) == Takes::kNumbersAndStrings) {
    if (numbers) return Value(Ordered(op, CompareNumbers(left, right)));
    if (left.type() != right.type()) return Mismatch(op, left, right);
    return Value(Ordered(op, TextOf(left).compare(TextOf(right)) <=> 0));
  }
  if (numbers) return Calculate(op, left, right);
  if (IsText(left) && IsText(right)) return AddTexts(left, right);
  return Mismatch(op, left, right);
}

absl::StatusOr<Value> ApplyUnary(TokenKind op, const Value& operand) {
  if (op == TokenKind::kNot) {
    if (const auto* b = operand.As<bool>()) return Value(!*b);
    return InvalidArgument("should be bool, got {}", TypeName(operand.type()));
  }
  if (!operand.number()) {
    return InvalidArgument("should be number, got {}", TypeName(operand.type()));
  }
  if (operand.As<double>() != nullptr) return Value(-*operand.number());
  return Calculate(TokenKind::kSubtract, Value(std::int64_t{0}), operand);
}

absl::StatusOr<Value> Index(const Value& container, const Value& index) {
  const bool has_fields = container.object() != nullptr || container.target() != nullptr;
  if (has_fields) {
    const auto* name = index.As<std::string>();
    if (name == nullptr) {
      return InvalidArgument("index should be string, got {}", TypeName(index.type()));
    }
    if (container.target() != nullptr) {
      const std::string_view value = (*container.target())->labels.Get(*name);
      return value.empty() ? Value() : Value(value);
    }
    const auto it = container.object()->find(*name);
    return it == container.object()->end() ? Value() : it->second;
  }
  if (container.array() == nullptr) {
    return FailedPrecondition("expected object or array, got {}", TypeName(container.type()));
  }
  if (!index.number()) {
    return InvalidArgument("index should be number, got {}", TypeName(index.type()));
  }
  const double at = *index.number();
  if (!(at >= 0 && at < static_cast<double>(container.array()->size()))) {
    return InvalidArgument("index {} is out of range of array with length {}", Print(index),
                           container.array()->size());
  }
  return (*container.array())[static_cast<std::size_t>(at)];
}

}  // namespace stoker::config
