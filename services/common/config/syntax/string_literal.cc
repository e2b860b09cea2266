#include "services/common/config/syntax/string_literal.h"

#include <algorithm>
#include <cstdint>

#include <fmt/format.h>

#include "services/common/base/utf8.h"

namespace stoker::config {
namespace {

constexpr std::string_view kNamedEscapes = "abfnrtv\\\"";
constexpr std::string_view kNamedValues = "\a\b\f\n\r\t\v\\\"";

// An escape sequence: its length with the backslash and what it stands for.
struct Escape {
  std::size_t length = 2;
  std::uint32_t value = 0;
  // \NNN and \xHH give a byte, \u and \U a code point.
  bool is_byte = true;
  const char* fault = nullptr;
};

int DigitOf(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return 16;
}

Escape ReadDigits(std::string_view text, std::size_t from, std::size_t count, int base) {
  Escape escape;
  for (std::size_t i = from; i < from + count; ++i) {
    const int digit = i < text.size() ? DigitOf(text[i]) : 16;
    if (digit >= base) return {.length = i, .fault = "illegal character in escape sequence"};
    escape.value =
        escape.value * static_cast<std::uint32_t>(base) + static_cast<std::uint32_t>(digit);
  }
  escape.length = from + count;
  return escape;
}

// `text` begins with a backslash.
Escape ReadEscape(std::string_view text) {
  if (text.size() < 2) return {.fault = "escape sequence not terminated"};
  const std::size_t named = kNamedEscapes.find(text[1]);
  if (named != std::string_view::npos) {
    return {.value = static_cast<unsigned char>(kNamedValues[named])};
  }
  if (text[1] >= '0' && text[1] <= '7') {
    Escape escape = ReadDigits(text, 1, 3, 8);
    if (escape.value > 0xFF) escape.fault = "escape sequence is invalid Unicode code point";
    return escape;
  }
  if (text[1] == 'x') return ReadDigits(text, 2, 2, 16);
  if (text[1] != 'u' && text[1] != 'U') return {.fault = "unknown escape sequence"};
  Escape escape = ReadDigits(text, 2, text[1] == 'u' ? 4 : 8, 16);
  escape.is_byte = false;
  const bool surrogate = escape.value >= 0xD800 && escape.value < 0xE000;
  if (escape.fault == nullptr && (surrogate || escape.value > 0x10FFFF)) {
    escape.fault = "escape sequence is invalid Unicode code point";
  }
  return escape;
}

}  // namespace

std::optional<StringFault> FindStringFault(std::string_view literal) {
  std::string_view rest = literal;
  while (!rest.empty()) {
    const std::size_t offset = literal.size() - rest.size();
    if (rest[0] == '\\') {
      const Escape escape = ReadEscape(rest.substr(0, rest.size() - 1));
      if (escape.fault != nullptr) return StringFault{offset, escape.fault};
      rest.remove_prefix(escape.length);
      continue;
    }
    if (rest[0] == '\0') return StringFault{offset, "illegal character NUL"};
    const char32_t point = TakeCodePoint(rest);
    const bool alone = literal.size() - rest.size() - offset == 1;
    if (point == kReplacementCharacter && alone)
      return StringFault{offset, "illegal UTF-8 encoding"};
  }
  return std::nullopt;
}

std::string Unquote(std::string_view literal) {
  std::string_view body = literal.substr(1, literal.size() - 2);
  std::string text;
  if (literal[0] == '`') {
    std::copy_if(body.begin(), body.end(), std::back_inserter(text),
                 [](char c) { return c != '\r'; });
    return text;
  }
  while (!body.empty()) {
    const std::size_t plain = std::min(body.find('\\'), body.size());
    text += body.substr(0, plain);
    body.remove_prefix(plain);
    if (body.empty()) break;
    const Escape escape = ReadEscape(body);
    if (escape.is_byte) {
      text += static_cast<char>(escape.value);
    } else {
      AppendCodePoint(escape.value, text);
    }
    body.remove_prefix(escape.length);
  }
  return text;
}

std::string Quote(std::string_view text) {
  std::string literal = "\"";
  for (const char c : text) {
    const std::size_t named = kNamedValues.find(c);
    if (named != std::string_view::npos) {
      literal += '\\';
      literal += kNamedEscapes[named];
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      literal += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      literal += c;
    }
  }
  return literal + "\"";
}

}  // namespace stoker::config
