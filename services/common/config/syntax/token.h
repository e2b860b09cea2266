#pragma once

#include <string>
#include <string_view>

#include "services/common/config/syntax/source.h"

namespace stoker::config {

enum class TokenKind {
  kEof,
  kTerminator,
  kIdentifier,
  kNumber,
  kFloat,
  kString,
  kBool,
  kNull,
  kOr,
  kAnd,
  kNot,
  kAssign,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kModulo,
  kPower,
  kLeftBrace,
  kRightBrace,
  kLeftParen,
  kRightParen,
  kLeftBracket,
  kRightBracket,
  kComma,
  kDot,
  // What the lexer has reported already.
  kInvalid,
};

struct Token {
  TokenKind kind = TokenKind::kEof;
  Span span;
};

// As messages name it: "IDENT", "TERMINATOR", "+".
std::string_view TokenName(TokenKind kind);

}  // namespace stoker::config
