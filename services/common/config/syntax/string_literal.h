#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace stoker::config {

struct StringFault {
  // Within the literal.
  std::size_t offset = 0;
  std::string message;
};

// What is wrong with a literal in double quotes: an escape sequence or bytes that are not UTF-8.
std::optional<StringFault> FindStringFault(std::string_view literal);

// The text of a literal without faults, in double quotes or backquotes. In a raw string there are
// no escapes and CR is taken out.
std::string Unquote(std::string_view literal);

// `text` as a literal in double quotes.
std::string Quote(std::string_view text);

}  // namespace stoker::config
