#include "services/common/config/syntax/formatter.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "services/common/config/syntax/diagnostic.h"
#include "services/common/config/syntax/lexer.h"
#include "services/common/config/syntax/line_aligner.h"
#include "services/common/config/syntax/parser.h"

namespace stoker::config {
namespace {

bool Opens(TokenKind kind) {
  return kind == TokenKind::kLeftBrace || kind == TokenKind::kLeftBracket ||
         kind == TokenKind::kLeftParen;
}

bool Closes(TokenKind kind) {
  return kind == TokenKind::kRightBrace || kind == TokenKind::kRightBracket ||
         kind == TokenKind::kRightParen;
}

// What an operand ends with: a bracket behind it calls or indexes.
bool EndsOperand(TokenKind kind) {
  switch (kind) {
    case TokenKind::kIdentifier:
    case TokenKind::kString:
    case TokenKind::kNumber:
    case TokenKind::kFloat:
    case TokenKind::kBool:
    case TokenKind::kNull:
      return true;
    default:
      return Closes(kind);
  }
}

// Writes the tokens of a file that parses, line by line. Tokens are enough: where a statement
// begins and what a brace opens follows from what came before.
class Formatter {
 public:
  explicit Formatter(const SourceFile& file) : file_(file), lexer_(file, ignored_, &comments_) {}

  std::string Format() {
    for (Token token = lexer_.Next(); token.kind != TokenKind::kEof; token = lexer_.Next()) {
      WriteComments(token);
      if (token.kind == TokenKind::kTerminator) {
        if (InBody()) EndStatement();
      } else {
        Write(token);
      }
    }
    WriteComments({TokenKind::kEof, {&file_, end_of_last_, end_of_last_}});
    return AlignLines(std::move(lines_));
  }

 private:
  struct Bracket {
    bool is_block = false;
    // The line it stands on.
    std::size_t line = 0;
    // Tells brackets apart for good.
    int number = 0;
  };

  [[nodiscard]] bool InBody() const { return brackets_.empty() || brackets_.back().is_block; }
  [[nodiscard]] int BracketNumber() const {
    return brackets_.empty() ? 0 : brackets_.back().number;
  }

  [[nodiscard]] std::size_t NewlinesBefore(std::uint32_t offset) const {
    const std::string_view between = file_.text().substr(end_of_last_, offset - end_of_last_);
    return static_cast<std::size_t>(std::count(between.begin(), between.end(), '\n'));
  }

  // ---- comments ----

  void WriteComments(const Token& next) {
    const bool ends_file = next.kind == TokenKind::kEof;
    for (; written_comments_ < comments_.size(); ++written_comments_) {
      const Span& comment = comments_[written_comments_];
      // The lexer has read ahead of a terminator.
      if (!ends_file && next.kind != TokenKind::kTerminator && comment.begin > next.span.begin)
        break;
      const bool own_line = NewlinesBefore(comment.begin) > 0;
      if (own_line && next.kind == TokenKind::kTerminator && InBody()) EndStatement();
      WriteComment(comment, next);
    }
  }

  void WriteComment(const Span& comment, const Token& next) {
    std::string text(comment.text());
    text.erase(std::remove(text.begin(), text.end(), '\r'), text.end());
    text.erase(text.find_last_not_of(" \t") + 1);
    const std::size_t newlines = NewlinesBefore(comment.begin);
    const bool trails = newlines == 0 && !lines_.empty() && lines_.back().comment.empty();
    const bool ends_block = next.kind == TokenKind::kRightBrace && InBody();
    // Nothing follows it on its line.
    const bool ends_line =
        text.starts_with("//") || EndsLine(comment.end) || statement_is_new_ || ends_block;
    if (trails && ends_line) {
      lines_.back().comment = std::move(text);
      line_is_open_ = false;
    } else if (trails && line_is_open_) {
      lines_.back().text += " " + text;
    } else {
      StartLine(newlines > 1 && InBody() && !after_open_block_);
      lines_.back().text = std::move(text);
      line_is_open_ = false;
    }
    after_open_block_ = false;
    end_of_last_ = comment.end;
  }

  [[nodiscard]] bool EndsLine(std::uint32_t offset) const {
    const std::size_t next = file_.text().find_first_not_of(" \t\r", offset);
    return next == std::string_view::npos || file_.text()[next] == '\n';
  }

  // ---- tokens ----

  void Write(const Token& token) {
    const bool closes_block = token.kind == TokenKind::kRightBrace && InBody();
    const std::size_t newlines = NewlinesBefore(token.span.begin);
    if (closes_block) {
      WriteBlockEnd(token);
      return;
    }
    if (InBody() && statement_is_new_) {
      StartLine(newlines > 1 && !after_open_block_);
      statement_is_new_ = false;
      statement_assigns_ = false;
    } else if (newlines > 0 || !line_is_open_) {
      StartLine(false, Closes(token.kind));
    } else if (NeedsBlank(token.kind)) {
      lines_.back().text += ' ';
    }
    Append(token);
  }

  void Append(const Token& token) {
    const bool closes = Closes(token.kind);
    if (closes && !brackets_.empty()) brackets_.pop_back();
    if (token.kind == TokenKind::kAssign) MarkAssignment();
    previous_is_unary_ = (token.kind == TokenKind::kSubtract || token.kind == TokenKind::kNot) &&
                         !EndsOperand(previous_);
    std::string text(token.span.text());
    // A raw string does not hold them; a quoted one does.
    if (text[0] == '`') text.erase(std::remove(text.begin(), text.end(), '\r'), text.end());
    lines_.back().text += text;
    after_open_block_ = false;
    if (Opens(token.kind)) Open(token.kind);
    previous_ = token.kind;
    end_of_last_ = token.span.end;
  }

  void Open(TokenKind kind) {
    const bool is_block = kind == TokenKind::kLeftBrace && InBody() && !statement_assigns_;
    brackets_.push_back({is_block, lines_.size() - 1, ++last_bracket_});
    if (!is_block) return;
    after_open_block_ = true;
    line_is_open_ = false;
    statement_is_new_ = true;
  }

  void WriteBlockEnd(const Token& token) {
    const bool is_empty = after_open_block_;
    if (is_empty) {
      lines_.back().text += ' ';
    } else {
      StartLine(false, /*closes=*/true);
    }
    Append(token);
    line_is_open_ = true;
    statement_is_new_ = true;
    statement_assigns_ = false;
  }

  void EndStatement() {
    statement_is_new_ = true;
    line_is_open_ = false;
  }

  // The name that the line begins with is assigned to.
  void MarkAssignment() {
    FormattedLine& line = lines_.back();
    if (InBody()) statement_assigns_ = true;
    if (line.bracket != BracketNumber() || line.assignment) return;
    if (line.text.find_first_of(",(") != std::string::npos && !line.text.starts_with('"')) return;
    // Before the blank that was put there.
    line.assignment = line.text.size() - (line.text.ends_with(' ') ? 1 : 0);
  }

  [[nodiscard]] bool NeedsBlank(TokenKind next) const {
    if (next == TokenKind::kDot) {
      // `22.x` would be a float.
      return previous_ == TokenKind::kNumber || previous_ == TokenKind::kFloat;
    }
    if (previous_is_unary_ || previous_ == TokenKind::kDot) return false;
    if (next == TokenKind::kComma || Closes(next)) return false;
    if (Opens(previous_)) return false;
    const bool applies = next == TokenKind::kLeftParen || next == TokenKind::kLeftBracket;
    return !(applies && EndsOperand(previous_));
  }

  void StartLine(bool blank_before, bool closes = false) {
    FormattedLine line{.blank_before = blank_before};
    if (!brackets_.empty()) {
      line.indent = lines_[brackets_.back().line].indent + (closes ? 0 : 1);
    }
    // The rest of a statement that is broken outside brackets.
    if (InBody() && !statement_is_new_ && !closes) ++line.indent;
    line.bracket = BracketNumber();
    lines_.push_back(std::move(line));
    line_is_open_ = true;
  }

  const SourceFile& file_;
  Diagnostics ignored_;
  std::vector<Span> comments_;
  Lexer lexer_;
  std::size_t written_comments_ = 0;
  std::vector<FormattedLine> lines_;
  std::vector<Bracket> brackets_;
  int last_bracket_ = 0;
  TokenKind previous_ = TokenKind::kTerminator;
  bool previous_is_unary_ = false;
  // More may be added to the last line.
  bool line_is_open_ = false;
  bool statement_is_new_ = true;
  bool statement_assigns_ = false;
  bool after_open_block_ = false;
  std::uint32_t end_of_last_ = 0;
};

}  // namespace

absl::StatusOr<std::string> FormatFile(const SourceFile& file) {
  Diagnostics diagnostics;
  ParseFile(file, diagnostics);
  if (diagnostics.has_errors()) return diagnostics.ToStatus();
  return Formatter(file).Format();
}

}  // namespace stoker::config
