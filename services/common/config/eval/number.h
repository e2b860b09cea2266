#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "services/common/config/eval/value.h"
#include "services/common/config/syntax/token.h"

namespace stoker::config {

// A number literal: int64, else uint64, else a float. A leading 0 means octal where the digits
// allow it (`010` is 8, `08` is 8.0), as in Alloy.
Value ParseNumberLiteral(std::string_view text);

// Text that is converted to a number: "-1" an int, with a point or exponent a float, else a uint.
std::optional<Value> ParseNumberText(std::string_view text);

// Decimal text; floats in their shortest form.
std::string NumberText(const Value& number);

// Three-way comparison of two numbers by value; NaN is unordered.
std::partial_ordering CompareNumbers(const Value& left, const Value& right);

// `+ - * / % ^` of two numbers. The wider kind wins: uint < int < float. INVALID_ARGUMENT for an
// integer division by zero.
absl::StatusOr<Value> Calculate(TokenKind op, const Value& left, const Value& right);

}  // namespace stoker::config
