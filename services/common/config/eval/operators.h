#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "services/common/config/eval/value.h"
#include "services/common/config/syntax/token.h"

namespace stoker::config {

// Whether a binary operator takes an operand of this type; the message begins with "should be".
absl::Status CheckOperand(TokenKind op, const Value& operand);

// Both operands have been checked. The message says which types do not go together, or that an
// integer is divided by zero.
absl::StatusOr<Value> ApplyBinary(TokenKind op, const Value& left, const Value& right);

// `!` and `-`; the message begins with "should be".
absl::StatusOr<Value> ApplyUnary(TokenKind op, const Value& operand);

// container[index]. A field that an object has not is null. FAILED_PRECONDITION when the container
// cannot be indexed; INVALID_ARGUMENT for a wrong index.
absl::StatusOr<Value> Index(const Value& container, const Value& index);

}  // namespace stoker::config
