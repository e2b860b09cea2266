#pragma once

#include <vector>

#include "services/common/config/syntax/diagnostic.h"
#include "services/common/config/syntax/source.h"
#include "services/common/config/syntax/token.h"

namespace stoker::config {

// Cuts a file of the Alloy language into tokens. A newline (or the end) after an identifier, a
// literal or a closing bracket gives a TERMINATOR. Source: Alloy's scanner.
class Lexer {
 public:
  // Comments are added to `comments` when it is given.
  Lexer(const SourceFile& file, Diagnostics& diagnostics, std::vector<Span>* comments = nullptr);

  // The next token; kEof for ever at the end. A lexical error is reported and gives kInvalid.
  Token Next();

 private:
  [[nodiscard]] bool AtEnd() const { return offset_ >= text_.size(); }
  [[nodiscard]] char Peek(std::size_t ahead = 0) const;
  [[nodiscard]] Span SpanFrom(std::uint32_t begin) const;

  // Blanks and comments; true when a newline was among them.
  bool SkipBlanks();
  void SkipComment();
  TokenKind Scan();
  TokenKind ScanWord();
  TokenKind ScanNumber();
  TokenKind ScanString();
  TokenKind ScanRawString();
  TokenKind ScanOperator();
  TokenKind Doubled(char c, TokenKind kind);
  TokenKind OrEqual(TokenKind plain, TokenKind with_equal);
  TokenKind Refuse(std::uint32_t begin, std::string message);
  void SkipDigits();
  // A code point of at least 0x80.
  TokenKind ScanForeign();

  const SourceFile& file_;
  const std::string_view text_;
  Diagnostics& diagnostics_;
  std::vector<Span>* const comments_;
  std::uint32_t offset_ = 0;
  // The last token may end a statement.
  bool ends_statement_ = false;
};

}  // namespace stoker::config
