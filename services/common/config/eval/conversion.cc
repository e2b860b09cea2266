#include "services/common/config/eval/conversion.h"

#include <algorithm>
#include <cmath>

#include <xxhash.h>

#include "services/common/config/eval/number.h"

namespace stoker::config {
namespace {

// The number of a value that is one, or of text that reads as one.
std::optional<Value> AsNumber(const Value& value) {
  if (value.number()) return value;
  const auto* text = value.As<std::string>();
  return text == nullptr ? std::nullopt : ParseNumberText(*text);
}

// The text of a target's label.
std::optional<Mismatch> ConvertLabel(const Value& value, std::string& out) {
  if (value.As<Secret>() != nullptr) {
    return Mismatch("target::ConvertFrom: cannot use a secret as a target value");
  }
  if (value.is_null()) {
    return Mismatch("target::ConvertFrom: cannot convert a nil value to a target value");
  }
  out = Print(value);
  return std::nullopt;
}

// The same labels give the same id wherever they stand.
std::string IdOf(const model::Labels& labels) {
  const std::string text = labels.ToString();
  const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

std::optional<Mismatch> ConvertTarget(const Value& value, model::TargetPtr& out) {
  if (value.target() != nullptr) {
    out = *value.target();
    return std::nullopt;
  }
  if (value.object() == nullptr) {
    return Mismatch(fmt::format("target::ConvertFrom: conversion from '{}' is not supported",
                                TypeName(value.type())));
  }
  auto target = std::make_shared<model::Target>();
  std::vector<model::Label> labels;
  for (const auto& [name, field] : *value.object()) {
    model::Label label{name, ""};
    if (auto mismatch = ConvertLabel(field, label.value)) return std::move(*mismatch).At(name);
    labels.push_back(std::move(label));
  }
  target->labels = model::Labels(std::move(labels));
  target->id = IdOf(target->labels);
  out = std::move(target);
  return std::nullopt;
}

}  // namespace

Mismatch Mismatch::Expected(std::string_view type, const Value& got) {
  Mismatch mismatch(fmt::format("should be {}, got {}", type, TypeName(got.type())));
  mismatch.of_type = true;
  return mismatch;
}

Mismatch&& Mismatch::At(Step step) && {
  path.insert(path.begin(), std::move(step));
  return std::move(*this);
}

std::optional<Mismatch> ConvertTo(const Value& value, bool& out) {
  const auto* b = value.As<bool>();
  if (b == nullptr) return Mismatch::Expected("bool", value);
  out = *b;
  return std::nullopt;
}

std::optional<Mismatch> ConvertTo(const Value& value, double& out) {
  const auto number = AsNumber(value);
  if (!number) return Mismatch::Expected("number", value);
  out = *number->number();
  return std::nullopt;
}

std::optional<Mismatch> ConvertToInteger(const Value& value, double lowest, double highest,
                                         std::int64_t& out_signed, std::uint64_t& out_unsigned) {
  const auto number = AsNumber(value);
  if (!number) return Mismatch::Expected("number", value);
  const double approximate = *number->number();
  const bool fits = approximate >= lowest && approximate <= highest;
  if (const auto* i = number->As<std::int64_t>(); i != nullptr && fits) {
    out_signed = *i;
    out_unsigned = static_cast<std::uint64_t>(*i);
  } else if (const auto* u = number->As<std::uint64_t>(); u != nullptr && fits) {
    out_unsigned = *u;
    out_signed = static_cast<std::int64_t>(*u);
  } else if (fits && approximate == std::trunc(approximate) && std::fabs(approximate) < 9e18) {
    out_signed = static_cast<std::int64_t>(approximate);
    out_unsigned = static_cast<std::uint64_t>(out_signed);
  } else {
    return Mismatch(
        fmt::format("{} is not an integer in [{:.0f}, {:.0f}]", Print(value), lowest, highest));
  }
  return std::nullopt;
}

std::optional<Mismatch> ConvertTo(const Value& value, std::string& out) {
  if (value.As<Secret>() != nullptr) return Mismatch("secrets may not be converted into strings");
  if (value.number()) {
    out = NumberText(value);
  } else if (const auto* text = value.As<std::string>()) {
    out = *text;
  } else if (value.is_null()) {
    out.clear();
  } else {
    return Mismatch::Expected("string", value);
  }
  return std::nullopt;
}

std::optional<Mismatch> ConvertTo(const Value& value, Secret& out) {
  if (const auto* secret = value.As<Secret>()) {
    out = *secret;
    return std::nullopt;
  }
  return ConvertTo(value, out.value);
}

std::optional<Mismatch> ConvertTo(const Value& value, absl::Duration& out) {
  std::string text;
  if (auto mismatch = ConvertTo(value, text)) return mismatch;
  absl::Duration duration;
  if (!absl::ParseDuration(text, &duration) || duration == absl::InfiniteDuration() ||
      duration == -absl::InfiniteDuration()) {
    return Mismatch(fmt::format("time: invalid duration \"{}\"", text));
  }
  out = duration;
  return std::nullopt;
}

std::optional<Mismatch> ConvertTo(const Value& value, Value& out) {
  out = value;
  return std::nullopt;
}

std::optional<Mismatch> ConvertReceivers(const Value& value, std::vector<std::string>& out) {
  out.clear();
  if (value.is_null()) return std::nullopt;
  if (value.array() == nullptr) return Mismatch::Expected("array", value);
  for (std::size_t i = 0; i < value.array()->size(); ++i) {
    const Value& element = (*value.array())[i];
    const auto* receiver = element.As<Receiver>();
    if (element.is_null()) continue;
    if (receiver == nullptr) {
      return Mismatch::Expected("ProfilesReceiver", element).At(i);
    }
    out.push_back(receiver->component_id);
  }
  return std::nullopt;
}

std::optional<Mismatch> ConvertTargets(const Value& value, model::TargetVector& out) {
  out.clear();
  if (value.is_null()) return std::nullopt;
  if (value.array() == nullptr) return Mismatch::Expected("array", value);
  out.reserve(value.array()->size());
  for (std::size_t i = 0; i < value.array()->size(); ++i) {
    const Value& element = (*value.array())[i];
    const bool nested = element.array() != nullptr;
    const Value::Array alone = nested ? Value::Array() : Value::Array{element};
    for (const Value& target : nested ? *element.array() : alone) {
      out.emplace_back();
      if (auto mismatch = ConvertTarget(target, out.back())) return std::move(*mismatch).At(i);
    }
  }
  return std::nullopt;
}

}  // namespace stoker::config
