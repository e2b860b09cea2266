#pragma once

#include <concepts>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <absl/time/time.h>
#include <fmt/format.h>

#include "services/common/config/eval/value.h"

namespace stoker::config {

// Why a value does not convert: the way down to the part that is wrong, as indices and field names,
// and what is said of it ("should be number, got string").
struct Mismatch {
  using Step = std::variant<std::size_t, std::string>;

  explicit Mismatch(std::string text) : message(std::move(text)) {}
  // "should be number, got string".
  static Mismatch Expected(std::string_view type, const Value& got);
  // This part is the element or field `step` of what is converted.
  Mismatch&& At(Step step) &&;

  std::vector<Step> path;
  std::string message;
  // The value has a wrong type; its source text is put before the message. Else the type is right
  // and the value is not.
  bool of_type = false;
};

// Conversions of values to the types that arguments have; nothing when all went well. Numbers give
// strings and strings numbers, as Alloy converts them; a number out of range is refused.
std::optional<Mismatch> ConvertTo(const Value& value, bool& out);
std::optional<Mismatch> ConvertTo(const Value& value, double& out);
std::optional<Mismatch> ConvertTo(const Value& value, std::string& out);
std::optional<Mismatch> ConvertTo(const Value& value, Secret& out);
// Text as Go's time.ParseDuration takes it: "1m30s", "0".
std::optional<Mismatch> ConvertTo(const Value& value, absl::Duration& out);
std::optional<Mismatch> ConvertTo(const Value& value, Value& out);
// An integer in [lowest, highest].
std::optional<Mismatch> ConvertToInteger(const Value& value, double lowest, double highest,
                                         std::int64_t& out_signed, std::uint64_t& out_unsigned);

template <std::integral T>
  requires(!std::same_as<T, bool>)
std::optional<Mismatch> ConvertTo(const Value& value, T& out) {
  std::int64_t as_signed = 0;
  std::uint64_t as_unsigned = 0;
  auto mismatch =
      ConvertToInteger(value, static_cast<double>(std::numeric_limits<T>::min()),
                       static_cast<double>(std::numeric_limits<T>::max()), as_signed, as_unsigned);
  if (!mismatch)
    out = std::signed_integral<T> ? static_cast<T>(as_signed) : static_cast<T>(as_unsigned);
  return mismatch;
}

template <typename T>
std::optional<Mismatch> ConvertTo(const Value& value, std::vector<T>& out) {
  out.clear();
  if (value.is_null()) return std::nullopt;
  if (value.array() == nullptr) return Mismatch::Expected("array", value);
  out.reserve(value.array()->size());
  for (const Value& element : *value.array()) {
    T converted{};
    if (auto mismatch = ConvertTo(element, converted)) return std::move(*mismatch).At(out.size());
    out.push_back(std::move(converted));
  }
  return std::nullopt;
}

template <typename T>
std::optional<Mismatch> ConvertTo(const Value& value, std::map<std::string, T>& out) {
  out.clear();
  if (value.is_null()) return std::nullopt;
  const Value::Object object =
      value.target() != nullptr ? ToObject(**value.target()) : Value::Object();
  if (value.object() == nullptr && value.target() == nullptr) {
    return Mismatch::Expected("object", value);
  }
  for (const auto& [name, field] : value.object() != nullptr ? *value.object() : object) {
    if (auto mismatch = ConvertTo(field, out[name])) return std::move(*mismatch).At(name);
  }
  return std::nullopt;
}

// A list of receivers as component ids; null is left out.
std::optional<Mismatch> ConvertReceivers(const Value& value, std::vector<std::string>& out);

// A list of targets. Capsules keep their pointers; a list inside the list is flattened, one level.
// Values are taken as text, as Go prints them; secrets are refused.
std::optional<Mismatch> ConvertTargets(const Value& value, model::TargetVector& out);

}  // namespace stoker::config
