#include "services/common/config/syntax/token.h"

#include <array>

namespace stoker::config {

std::string_view TokenName(TokenKind kind) {
  static constexpr std::array<std::string_view, static_cast<std::size_t>(TokenKind::kInvalid) + 1>
      kNames = {"EOF", "TERMINATOR", "IDENT", "NUMBER", "FLOAT", "STRING", "BOOL", "NULL", "||",
                "&&",  "!",          "=",     "==",     "!=",    "<",      "<=",   ">",    ">=",
                "+",   "-",          "*",     "/",      "%",     "^",      "{",    "}",    "(",
                ")",   "[",          "]",     ",",      ".",     "ILLEGAL"};
  return kNames[static_cast<std::size_t>(kind)];
}

}  // namespace stoker::config
