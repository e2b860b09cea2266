#include "services/common/config/eval/number.h"

#include <charconv>
#include <cmath>
#include <cstdint>

#include <fmt/format.h>

#include "services/common/base/status.h"

namespace stoker::config {
namespace {

template <typename T, typename... Base>
std::optional<T> ParseAll(std::string_view text, Base... base) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base...);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

double ParseDouble(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc::result_out_of_range ? HUGE_VAL : value;
}

// By repeated squaring, wrapping like the other integer operators.
template <typename T>
T Power(T base, T exponent) {
  if constexpr (std::is_signed_v<T>) {
    if (exponent < 0) return base == 1 ? 1 : 0;
  }
  std::uint64_t result = 1;
  auto factor = static_cast<std::uint64_t>(base);
  for (auto rest = static_cast<std::uint64_t>(exponent); rest > 0; rest >>= 1) {
    if (rest & 1) result *= factor;
    factor *= factor;
  }
  return static_cast<T>(result);
}

template <typename T>
absl::StatusOr<Value> CalculateIntegers(TokenKind op, T left, T right) {
  // Unsigned arithmetic wraps; signed overflow would be undefined.
  const auto a = static_cast<std::uint64_t>(left);
  const auto b = static_cast<std::uint64_t>(right);
  switch (op) {
    case TokenKind::kAdd:
      return Value(static_cast<T>(a + b));
    case TokenKind::kSubtract:
      return Value(static_cast<T>(a - b));
    case TokenKind::kMultiply:
      return Value(static_cast<T>(a * b));
    case TokenKind::kPower:
      return Value(Power(left, right));
    default:
      break;
  }
  if (right == 0) return InvalidArgument("divide by zero error");
  // The one quotient that overflows.
  if (std::is_signed_v<T> && b == ~std::uint64_t{0}) {
    return Value(static_cast<T>(op == TokenKind::kDivide ? 0 - a : 0));
  }
  return Value(static_cast<T>(op == TokenKind::kDivide ? left / right : left % right));
}

Value CalculateFloats(TokenKind op, double left, double right) {
  switch (op) {
    case TokenKind::kAdd:
      return Value(left + right);
    case TokenKind::kSubtract:
      return Value(left - right);
    case TokenKind::kMultiply:
      return Value(left * right);
    case TokenKind::kDivide:
      return Value(left / right);
    case TokenKind::kModulo:
      return Value(std::fmod(left, right));
    default:
      return Value(std::pow(left, right));
  }
}

template <typename T>
T ToInteger(const Value& value) {
  if (const auto* i = value.As<std::int64_t>()) return static_cast<T>(*i);
  return static_cast<T>(*value.As<std::uint64_t>());
}

}  // namespace

Value ParseNumberLiteral(std::string_view text) {
  if (text.find_first_of(".eE") == std::string_view::npos) {
    const int base = text.size() > 1 && text[0] == '0' ? 8 : 10;
    if (const auto i = ParseAll<std::int64_t>(text, base)) return Value(*i);
    if (const auto u = ParseAll<std::uint64_t>(text, base)) return Value(*u);
  }
  return Value(ParseDouble(text));
}

std::optional<Value> ParseNumberText(std::string_view text) {
  if (text.find_first_of(".eE") != std::string_view::npos) {
    const auto value = ParseAll<double>(text);
    return value ? std::optional(Value(*value)) : std::nullopt;
  }
  if (text.starts_with('-')) {
    const auto value = ParseAll<std::int64_t>(text, 10);
    return value ? std::optional(Value(*value)) : std::nullopt;
  }
  const auto value = ParseAll<std::uint64_t>(text, 10);
  return value ? std::optional(Value(*value)) : std::nullopt;
}

std::string NumberText(const Value& number) {
  if (const auto* i = number.As<std::int64_t>()) return fmt::to_string(*i);
  if (const auto* u = number.As<std::uint64_t>()) return fmt::to_string(*u);
  return fmt::format(
      "{}", *number.number() == std::floor(*number.number()) && std::fabs(*number.number()) < 1e15
                ? fmt::format("{:.0f}", *number.number())
                : fmt::format("{}", *number.number()));
}

std::partial_ordering CompareNumbers(const Value& left, const Value& right) {
  if (left.As<double>() != nullptr || right.As<double>() != nullptr) {
    return *left.number() <=> *right.number();
  }
  const bool left_negative = left.As<std::int64_t>() != nullptr && *left.number() < 0;
  const bool right_negative = right.As<std::int64_t>() != nullptr && *right.number() < 0;
  if (left_negative != right_negative)
    return left_negative ? std::partial_ordering::less : std::partial_ordering::greater;
  return ToInteger<std::uint64_t>(left) <=> ToInteger<std::uint64_t>(right);
}

absl::StatusOr<Value> Calculate(TokenKind op, const Value& left, const Value& right) {
  if (left.As<double>() != nullptr || right.As<double>() != nullptr) {
    return CalculateFloats(op, *left.number(), *right.number());
  }
  if (left.As<std::int64_t>() != nullptr || right.As<std::int64_t>() != nullptr) {
    return CalculateIntegers(op, ToInteger<std::int64_t>(left), ToInteger<std::int64_t>(right));
  }
  return CalculateIntegers(op, ToInteger<std::uint64_t>(left), ToInteger<std::uint64_t>(right));
}

}  // namespace stoker::config
