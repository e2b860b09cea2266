#include "services/common/config/eval/string_functions.h"

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "services/common/base/status.h"
#include "services/common/base/utf8.h"
#include "services/common/config/eval/function.h"
#include "services/common/config/syntax/string_literal.h"
#include "services/common/relabel/letter_case.h"

namespace stoker::config {
namespace {

constexpr std::string_view kSpace = " \t\n\v\f\r";
// Of one padded or formatted field.
constexpr int kMaxWidth = 1000;

std::string_view TrimAny(std::string_view text, std::string_view characters) {
  const std::size_t begin = text.find_first_not_of(characters);
  if (begin == std::string_view::npos) return "";
  return text.substr(begin, text.find_last_not_of(characters) - begin + 1);
}

std::string ReplaceAll(const std::string& text, const std::string& from, const std::string& to) {
  std::string replaced;
  std::size_t begin = 0;
  for (std::size_t at = text.find(from); !from.empty() && at != std::string::npos;
       at = text.find(from, begin)) {
    replaced += text.substr(begin, at - begin) + to;
    begin = at + from.size();
  }
  return replaced + text.substr(begin);
}

Value::Array Split(std::string_view text, std::string_view separator) {
  Value::Array parts;
  if (separator.empty()) {
    while (!text.empty()) {
      const std::string_view before = text;
      TakeCodePoint(text);
      parts.emplace_back(before.substr(0, before.size() - text.size()));
    }
    return parts;
  }
  for (std::size_t at = text.find(separator); at != std::string_view::npos;
       at = text.find(separator)) {
    parts.emplace_back(text.substr(0, at));
    text.remove_prefix(at + separator.size());
  }
  parts.emplace_back(text);
  return parts;
}

std::string Joined(const std::vector<std::string>& parts, const std::string& separator) {
  std::string text;
  for (std::size_t i = 0; i < parts.size(); ++i) text += (i == 0 ? "" : separator) + parts[i];
  return text;
}

// One `%…verb`.
struct Verb {
  std::string flags;
  int width = 0;
  int precision = -1;
  char verb = 'v';
};

int TakeNumber(std::string_view& text) {
  int number = 0;
  while (!text.empty() && text[0] >= '0' && text[0] <= '9') {
    number = std::min(number * 10 + (text[0] - '0'), kMaxWidth);
    text.remove_prefix(1);
  }
  return number;
}

// `text` begins after the percent sign.
absl::StatusOr<Verb> TakeVerb(std::string_view& text) {
  Verb verb;
  while (!text.empty() && std::string_view("+-# 0").find(text[0]) != std::string_view::npos) {
    verb.flags += text[0];
    text.remove_prefix(1);
  }
  verb.width = TakeNumber(text);
  if (!text.empty() && text[0] == '.') {
    text.remove_prefix(1);
    verb.precision = TakeNumber(text);
  }
  if (text.empty()) return InvalidArgument("format ends in the middle of a verb");
  verb.verb = text[0];
  text.remove_prefix(1);
  return verb;
}

// By the C library, whose flags are Go's.
template <typename T>
std::string PrintNumber(const Verb& verb, const char* conversion, T number) {
  std::string pattern = "%" + verb.flags.substr(0, 5) + std::to_string(verb.width);
  if (verb.width == 0) pattern = "%" + verb.flags.substr(0, 5);
  if (verb.precision >= 0) pattern += "." + std::to_string(verb.precision);
  pattern += conversion;
  std::string text(2 * kMaxWidth + 400, '\0');
  const int length = std::snprintf(text.data(), text.size(), pattern.c_str(), number);
  text.resize(static_cast<std::size_t>(std::clamp(length, 0, static_cast<int>(text.size()))));
  return text;
}

std::string Pad(const Verb& verb, std::string text) {
  const auto width = static_cast<std::size_t>(verb.width);
  if (text.size() >= width) return text;
  const bool left = verb.flags.find('-') != std::string::npos;
  return left ? text + std::string(width - text.size(), ' ')
              : std::string(width - text.size(), ' ') + text;
}

absl::StatusOr<std::string> PrintText(const Verb& verb, const Value& value) {
  std::string text = Print(value);
  if (verb.precision >= 0) text = text.substr(0, static_cast<std::size_t>(verb.precision));
  if (verb.verb == 'q') return Pad(verb, Quote(text));
  if (verb.verb == 'v' || verb.verb == 's' || verb.verb == 't') return Pad(verb, text);
  return InvalidArgument("%{} does not take a {}", verb.verb, TypeName(value.type()));
}

absl::StatusOr<std::string> PrintVerb(const Verb& verb, const Value& value) {
  const std::string_view integers = "dboxXc";
  const std::string_view floats = "fFeEgG";
  const bool is_integer_verb = integers.find(verb.verb) != std::string_view::npos;
  const bool is_float_verb = floats.find(verb.verb) != std::string_view::npos;
  if (!value.number() || (!is_integer_verb && !is_float_verb)) return PrintText(verb, value);
  if (is_float_verb) return PrintNumber(verb, std::string(1, verb.verb).c_str(), *value.number());
  std::int64_t integer = 0;
  if (ConvertTo(value, integer)) return InvalidArgument("%{} takes an integer", verb.verb);
  if (verb.verb == 'd') return PrintNumber(verb, "ld", integer);
  if (verb.verb == 'b') return Pad(verb, fmt::format("{:b}", integer));
  if (verb.verb == 'c') {
    std::string text;
    AppendCodePoint(integer >= 0 && integer <= 0x10FFFF ? static_cast<char32_t>(integer)
                                                        : kReplacementCharacter,
                    text);
    return Pad(verb, text);
  }
  const std::string conversion = std::string("l") + verb.verb;
  if (integer < 0) return "-" + PrintNumber(verb, conversion.c_str(), -integer);
  return PrintNumber(verb, conversion.c_str(), integer);
}

}  // namespace

absl::StatusOr<Value> Format(const Value::Array& arguments) {
  const auto* format = arguments.empty() ? nullptr : arguments[0].As<std::string>();
  if (format == nullptr) return InvalidArgument("argument 1 should be string");
  std::string_view rest = *format;
  std::string text;
  std::size_t next = 1;
  while (!rest.empty()) {
    const std::size_t plain = std::min(rest.find('%'), rest.size());
    text += rest.substr(0, plain);
    rest.remove_prefix(plain);
    if (rest.empty()) break;
    rest.remove_prefix(1);
    STOKER_ASSIGN_OR_RETURN(const Verb verb, TakeVerb(rest));
    if (verb.verb == '%') {
      text += '%';
      continue;
    }
    if (next >= arguments.size()) return InvalidArgument("no argument for %{}", verb.verb);
    STOKER_ASSIGN_OR_RETURN(const std::string printed, PrintVerb(verb, arguments[next++]));
    text += printed;
  }
  if (next < arguments.size())
    return InvalidArgument("{} arguments too many", arguments.size() - next);
  return Value(std::move(text));
}

Value::Object StringFunctions() {
  using Text = std::string;
  Value::Object functions;
  functions["format"] = DefineVariadic("format", Format);
  functions["join"] = Define<std::vector<Text>, Text>(
      "join", [](const std::vector<Text>& parts, const Text& separator) -> absl::StatusOr<Value> {
        return Value(Joined(parts, separator));
      });
  functions["replace"] = Define<Text, Text, Text>(
      "replace", [](const Text& text, const Text& from, const Text& to) -> absl::StatusOr<Value> {
        return Value(ReplaceAll(text, from, to));
      });
  functions["split"] =
      Define<Text, Text>("split", [](const Text& text, const Text& by) -> absl::StatusOr<Value> {
        return Value(Split(text, by));
      });
  functions["to_lower"] = Define<Text>("to_lower", [](const Text& text) -> absl::StatusOr<Value> {
    return Value(relabel::ToLower(text));
  });
  functions["to_upper"] = Define<Text>("to_upper", [](const Text& text) -> absl::StatusOr<Value> {
    return Value(relabel::ToUpper(text));
  });
  functions["trim"] =
      Define<Text, Text>("trim", [](const Text& text, const Text& cut) -> absl::StatusOr<Value> {
        return Value(TrimAny(text, cut));
      });
  functions["trim_prefix"] = Define<Text, Text>(
      "trim_prefix", [](const Text& text, const Text& prefix) -> absl::StatusOr<Value> {
        return Value(text.starts_with(prefix) ? text.substr(prefix.size()) : text);
      });
  functions["trim_suffix"] = Define<Text, Text>(
      "trim_suffix", [](const Text& text, const Text& suffix) -> absl::StatusOr<Value> {
        return Value(text.ends_with(suffix) ? text.substr(0, text.size() - suffix.size()) : text);
      });
  functions["trim_space"] = Define<Text>(
      "trim_space",
      [](const Text& text) -> absl::StatusOr<Value> { return Value(TrimAny(text, kSpace)); });
  return functions;
}

}  // namespace stoker::config
