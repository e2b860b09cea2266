#include "services/common/config/syntax/lexer.h"

#include <string>
#include <utility>

#include <fmt/format.h>
#include <re2/re2.h>

#include "services/common/base/utf8.h"
#include "services/common/config/syntax/string_literal.h"

namespace stoker::config {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

bool IsAsciiLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

bool IsAscii(char c) { return static_cast<unsigned char>(c) < 0x80; }

// The length of the letter or digit that `text` begins with, 0 for anything else.
std::size_t WordCharacterLength(std::string_view text) {
  if (text.empty()) return 0;
  if (IsAscii(text[0])) return IsAsciiLetter(text[0]) || IsDigit(text[0]) ? 1 : 0;
  static const RE2 pattern(R"(^[\p{L}\p{Nd}])");
  std::string_view rest = text;
  TakeCodePoint(rest);
  const std::size_t length = text.size() - rest.size();
  return RE2::PartialMatch({text.data(), length}, pattern) ? length : 0;
}

bool MayEndStatement(TokenKind kind) {
  switch (kind) {
    case TokenKind::kIdentifier:
    case TokenKind::kNumber:
    case TokenKind::kFloat:
    case TokenKind::kString:
    case TokenKind::kBool:
    case TokenKind::kNull:
    case TokenKind::kRightParen:
    case TokenKind::kRightBracket:
    case TokenKind::kRightBrace:
      return true;
    default:
      return false;
  }
}

std::string DescribeCodePoint(char32_t point, std::string_view text) {
  return fmt::format("U+{:04X} '{}'", static_cast<std::uint32_t>(point), text);
}

}  // namespace

Lexer::Lexer(const SourceFile& file, Diagnostics& diagnostics, std::vector<Span>* comments)
    : file_(file), text_(file.text()), diagnostics_(diagnostics), comments_(comments) {
  if (text_.starts_with(kByteOrderMark)) offset_ = kByteOrderMark.size();
}

char Lexer::Peek(std::size_t ahead) const {
  return offset_ + ahead < text_.size() ? text_[offset_ + ahead] : '\0';
}

Span Lexer::SpanFrom(std::uint32_t begin) const { return {&file_, begin, offset_}; }

Token Lexer::Next() {
  const std::uint32_t before = offset_;
  const bool newline = SkipBlanks();
  if (ends_statement_ && (newline || AtEnd())) {
    ends_statement_ = false;
    return {TokenKind::kTerminator, {&file_, before, before}};
  }
  const std::uint32_t begin = offset_;
  if (AtEnd()) return {TokenKind::kEof, SpanFrom(begin)};
  const TokenKind kind = Scan();
  ends_statement_ = MayEndStatement(kind);
  return {kind, SpanFrom(begin)};
}

bool Lexer::SkipBlanks() {
  bool newline = false;
  while (!AtEnd()) {
    const char c = Peek();
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
      newline |= c == '\n';
      ++offset_;
    } else if (c == '/' && (Peek(1) == '/' || Peek(1) == '*')) {
      const std::uint32_t begin = offset_;
      SkipComment();
      newline |= SpanFrom(begin).text().find('\n') != std::string_view::npos;
    } else {
      break;
    }
  }
  return newline;
}

void Lexer::SkipComment() {
  const std::uint32_t begin = offset_;
  if (Peek(1) == '/') {
    // The newline stays, for it ends a statement.
    offset_ = static_cast<std::uint32_t>(std::min(text_.find('\n', offset_), text_.size()));
  } else {
    const std::size_t end = text_.find("*/", offset_ + 2);
    const bool terminated = end != std::string_view::npos;
    offset_ = static_cast<std::uint32_t>(terminated ? end + 2 : text_.size());
    if (!terminated) diagnostics_.Error({&file_, begin, begin + 2}, "block comment not terminated");
  }
  if (comments_ != nullptr) comments_->push_back(SpanFrom(begin));
}

TokenKind Lexer::Scan() {
  const char c = Peek();
  if (IsAsciiLetter(c)) return ScanWord();
  if (IsDigit(c) || (c == '.' && IsDigit(Peek(1)))) return ScanNumber();
  if (c == '"') return ScanString();
  if (c == '`') return ScanRawString();
  if (!IsAscii(c)) return ScanForeign();
  return ScanOperator();
}

TokenKind Lexer::ScanWord() {
  const std::uint32_t begin = offset_;
  while (const std::size_t length = WordCharacterLength(text_.substr(offset_))) {
    offset_ += static_cast<std::uint32_t>(length);
  }
  const std::string_view word = SpanFrom(begin).text();
  if (word == "true" || word == "false") return TokenKind::kBool;
  return word == "null" ? TokenKind::kNull : TokenKind::kIdentifier;
}

void Lexer::SkipDigits() {
  while (IsDigit(Peek())) ++offset_;
}

TokenKind Lexer::ScanNumber() {
  const std::uint32_t begin = offset_;
  bool is_float = false;
  SkipDigits();
  if (Peek() == '.') {
    is_float = true;
    ++offset_;
    SkipDigits();
  }
  if (Peek() == 'e' || Peek() == 'E') {
    is_float = true;
    ++offset_;
    if (Peek() == '+' || Peek() == '-') ++offset_;
    if (!IsDigit(Peek())) return Refuse(begin, "exponent has no digits");
    SkipDigits();
  }
  return is_float ? TokenKind::kFloat : TokenKind::kNumber;
}

TokenKind Lexer::ScanString() {
  const std::uint32_t begin = offset_++;
  while (!AtEnd() && Peek() != '\n' && Peek() != '"') offset_ += Peek() == '\\' ? 2 : 1;
  if (AtEnd() || Peek() != '"') {
    offset_ = static_cast<std::uint32_t>(std::min(text_.find('\n', begin), text_.size()));
    return Refuse(begin, "string literal not terminated");
  }
  ++offset_;
  const Span span = SpanFrom(begin);
  if (const auto fault = FindStringFault(span.text())) {
    const auto at = begin + static_cast<std::uint32_t>(fault->offset);
    diagnostics_.Error({&file_, at, at + 1}, fault->message);
    return TokenKind::kInvalid;
  }
  return TokenKind::kString;
}

TokenKind Lexer::ScanRawString() {
  const std::uint32_t begin = offset_;
  const std::size_t end = text_.find('`', begin + 1);
  if (end == std::string_view::npos) {
    offset_ = static_cast<std::uint32_t>(text_.size());
    diagnostics_.Error({&file_, begin, begin + 1}, "raw string literal not terminated");
    return TokenKind::kInvalid;
  }
  offset_ = static_cast<std::uint32_t>(end + 1);
  const std::string_view body = SpanFrom(begin).text();
  if (ToValidUtf8(body) != body) return Refuse(begin, "illegal UTF-8 encoding");
  return TokenKind::kString;
}

TokenKind Lexer::ScanForeign() {
  const std::uint32_t begin = offset_;
  if (WordCharacterLength(text_.substr(offset_)) > 0) return ScanWord();
  std::string_view rest = text_.substr(offset_);
  const bool mark = rest.starts_with(kByteOrderMark);
  const char32_t point = TakeCodePoint(rest);
  offset_ = static_cast<std::uint32_t>(text_.size() - rest.size());
  if (mark) return Refuse(begin, "illegal byte order mark");
  const std::string_view text = SpanFrom(begin).text();
  if (text.size() == 1) return Refuse(begin, "illegal UTF-8 encoding");
  return Refuse(begin, "illegal character " + DescribeCodePoint(point, text));
}

TokenKind Lexer::Doubled(char c, TokenKind kind) {
  if (Peek() == c) {
    ++offset_;
    return kind;
  }
  return Refuse(offset_ - 1, fmt::format("missing second {0} in {0}{0}", c));
}

TokenKind Lexer::OrEqual(TokenKind plain, TokenKind with_equal) {
  if (Peek() != '=') return plain;
  ++offset_;
  return with_equal;
}

TokenKind Lexer::ScanOperator() {
  const std::uint32_t begin = offset_;
  const char c = text_[offset_++];
  switch (c) {
    case '|':
      return Doubled(c, TokenKind::kOr);
    case '&':
      return Doubled(c, TokenKind::kAnd);
    case '!':
      return OrEqual(TokenKind::kNot, TokenKind::kNotEqual);
    case '=':
      return OrEqual(TokenKind::kAssign, TokenKind::kEqual);
    case '<':
      return OrEqual(TokenKind::kLess, TokenKind::kLessEqual);
    case '>':
      return OrEqual(TokenKind::kGreater, TokenKind::kGreaterEqual);
    case '\'': {
      // To its end, so that it gives one error.
      const std::size_t end = text_.find_first_of("'\n", offset_);
      if (end != std::string_view::npos && text_[end] == '\'') {
        offset_ = static_cast<std::uint32_t>(end + 1);
      }
      return Refuse(begin, "illegal single-quoted string; use double quotes");
    }
    case '\0':
      return Refuse(begin, "illegal character NUL");
    default:
      break;
  }
  static constexpr std::string_view kSingles = "+-*/%^{}()[],.";
  const std::size_t index = kSingles.find(c);
  if (index == std::string_view::npos) {
    return Refuse(begin, "illegal character " + DescribeCodePoint(static_cast<unsigned char>(c),
                                                                  std::string_view(&c, 1)));
  }
  return static_cast<TokenKind>(static_cast<int>(TokenKind::kAdd) + static_cast<int>(index));
}

TokenKind Lexer::Refuse(std::uint32_t begin, std::string message) {
  diagnostics_.Error(SpanFrom(begin), std::move(message));
  return TokenKind::kInvalid;
}

}  // namespace stoker::config
