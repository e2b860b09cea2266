#include "services/common/config/syntax/parser.h"

#include <algorithm>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "services/common/config/syntax/lexer.h"
#include "services/common/config/syntax/string_literal.h"

namespace stoker::config {
namespace {

// 0 for what is no binary operator; higher binds tighter.
int Precedence(TokenKind kind) {
  switch (kind) {
    case TokenKind::kOr:
      return 1;
    case TokenKind::kAnd:
      return 2;
    case TokenKind::kEqual:
    case TokenKind::kNotEqual:
    case TokenKind::kLess:
    case TokenKind::kLessEqual:
    case TokenKind::kGreater:
    case TokenKind::kGreaterEqual:
      return 3;
    case TokenKind::kAdd:
    case TokenKind::kSubtract:
      return 4;
    case TokenKind::kMultiply:
    case TokenKind::kDivide:
    case TokenKind::kModulo:
      return 5;
    case TokenKind::kPower:
      return 6;
    default:
      return 0;
  }
}

// Recursive descent. A function that fails has reported why and returns false or nothing; the
// statement that holds it is given up.
class Parser {
 public:
  Parser(const SourceFile& file, Diagnostics& diagnostics, std::vector<Span>* comments)
      : file_(file), diagnostics_(diagnostics), lexer_(file, lexical_, comments) {
    Advance();
  }

  Body ParseFileBody() {
    Body body = ParseBody(TokenKind::kEof);
    if (token_.kind != TokenKind::kEof && !gave_up_) Expected("EOF");
    return body;
  }

  std::optional<Expression> ParseOnly() {
    std::optional<Expression> expression = ParseExpression();
    if (expression && token_.kind == TokenKind::kTerminator) Advance();
    if (expression && token_.kind != TokenKind::kEof) {
      Expected("EOF");
      return std::nullopt;
    }
    return expression;
  }

 private:
  // Counts one level of nesting; false when it is too deep.
  class Nesting {
   public:
    explicit Nesting(Parser& parser) : parser_(parser) { ++parser_.nesting_; }
    ~Nesting() { --parser_.nesting_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;

    bool ok() {
      if (parser_.nesting_ <= kMaxNesting) return true;
      parser_.GiveUp(fmt::format("nested deeper than {} levels", kMaxNesting));
      return false;
    }

   private:
    Parser& parser_;
  };

  void Advance() {
    last_end_ = token_.span.end;
    token_ = gave_up_ ? Token{TokenKind::kEof, token_.span} : lexer_.Next();
    // Lexical errors count as the one error of their line.
    for (; reported_ < lexical_.all().size(); ++reported_) {
      const Diagnostic& error = lexical_.all()[reported_];
      Report(error.span, error.message);
    }
    if (lexical_.errors() > Diagnostics::kMax) GiveUp("too many errors");
  }

  bool Accept(TokenKind kind) {
    if (token_.kind != kind) return false;
    Advance();
    return true;
  }

  bool Expect(TokenKind kind) {
    if (Accept(kind)) return true;
    Expected(TokenName(kind));
    return false;
  }

  void Expected(std::string_view what) {
    Report(token_.span, fmt::format("expected {}, got {}", what, TokenName(token_.kind)));
  }

  void Report(const Span& span, std::string message) {
    if (gave_up_) return;
    const int line = file_.PositionOf(span.begin).line;
    if (line == last_error_line_) return;
    last_error_line_ = line;
    diagnostics_.Error(span, std::move(message));
  }

  // An error after which the rest of the file is not read.
  void GiveUp(std::string message) {
    if (gave_up_) return;
    diagnostics_.Error(token_.span, std::move(message));
    gave_up_ = true;
    token_.kind = TokenKind::kEof;
  }

  bool CountNode() {
    if (++nodes_ <= kMaxNodes) return true;
    GiveUp(fmt::format("more than {} statements and expressions", kMaxNodes));
    return false;
  }

  [[nodiscard]] Span SpanFrom(std::uint32_t begin) const { return {&file_, begin, last_end_}; }

  Body ParseBody(TokenKind end) {
    Body body;
    while (token_.kind != end && token_.kind != TokenKind::kEof) {
      if (Accept(TokenKind::kTerminator)) continue;
      std::optional<Statement> statement = ParseStatement();
      const bool ended = statement && (token_.kind == TokenKind::kTerminator ||
                                       token_.kind == end || token_.kind == TokenKind::kEof);
      if (statement && !ended) Expected("TERMINATOR");
      if (statement) body.statements.push_back(*std::move(statement));
      if (!ended) SkipStatement();
    }
    return body;
  }

  // To the end of the statement that went wrong, over whole brackets.
  void SkipStatement() {
    int depth = 0;
    while (token_.kind != TokenKind::kEof) {
      if (depth <= 0 && token_.kind == TokenKind::kTerminator) return;
      const bool opens = token_.kind == TokenKind::kLeftBrace ||
                         token_.kind == TokenKind::kLeftBracket ||
                         token_.kind == TokenKind::kLeftParen;
      const bool closes = token_.kind == TokenKind::kRightBrace ||
                          token_.kind == TokenKind::kRightBracket ||
                          token_.kind == TokenKind::kRightParen;
      if (opens) ++depth;
      if (closes && --depth < 0 && open_blocks_ > 0 && token_.kind == TokenKind::kRightBrace)
        return;
      Advance();
    }
  }

  std::optional<Statement> ParseStatement() {
    if (!CountNode()) return std::nullopt;
    const std::uint32_t begin = token_.span.begin;
    if (token_.kind != TokenKind::kIdentifier) {
      Expected("identifier");
      return std::nullopt;
    }
    std::string name(token_.span.text());
    Advance();
    bool dotted = false;
    while (Accept(TokenKind::kDot)) {
      dotted = true;
      name += "." + std::string(token_.span.text());
      if (!Expect(TokenKind::kIdentifier)) return std::nullopt;
    }
    const Span name_span = SpanFrom(begin);
    if (token_.kind == TokenKind::kAssign)
      return ParseAttribute(std::move(name), name_span, dotted);
    return ParseBlock(std::move(name), name_span);
  }

  std::optional<Statement> ParseAttribute(std::string name, Span name_span, bool dotted) {
    if (dotted) {
      Report(name_span, "attribute names may only consist of a single identifier with no \".\"");
      return std::nullopt;
    }
    Advance();
    std::optional<Expression> value = ParseExpression();
    if (!value) return std::nullopt;
    if (token_.kind == TokenKind::kLeftBrace) {
      Report(token_.span, "cannot use a block as an expression");
      return std::nullopt;
    }
    return Statement{Attribute{std::move(name), name_span, *std::move(value)}};
  }

  std::optional<Statement> ParseBlock(std::string name, Span name_span) {
    Block block{.name = std::move(name), .name_span = name_span};
    if (token_.kind != TokenKind::kLeftBrace && !ParseLabel(block)) return std::nullopt;
    if (token_.kind != TokenKind::kLeftBrace) {
      Expected(block.label.empty() ? "attribute assignment or block body" : "block body");
      return std::nullopt;
    }
    Nesting nesting(*this);
    if (!nesting.ok()) return std::nullopt;
    block.left_brace = token_.span;
    Advance();
    ++open_blocks_;
    block.body = ParseBody(TokenKind::kRightBrace);
    --open_blocks_;
    if (!Expect(TokenKind::kRightBrace)) return std::nullopt;
    block.span = SpanFrom(name_span.begin);
    return Statement{std::move(block)};
  }

  // True also where there is none.
  bool ParseLabel(Block& block) {
    if (token_.kind == TokenKind::kIdentifier) {
      Expected("block label");
      return false;
    }
    if (token_.kind != TokenKind::kString) return true;
    const std::string_view literal = token_.span.text();
    if (literal[0] != '"') {
      Report(token_.span,
             "expected block label to be a double quoted string, but got a raw string");
      return false;
    }
    block.label = Unquote(literal);
    block.label_span = token_.span;
    if (!IsIdentifier(block.label)) {
      Report(token_.span, fmt::format("expected block label to be a valid identifier, but got {}",
                                      Quote(block.label)));
      return false;
    }
    Advance();
    if (token_.kind == TokenKind::kAssign) {
      Report(block.label_span, "attribute names may not have labels");
      return false;
    }
    return true;
  }

  std::optional<Expression> ParseExpression() { return ParseBinary(1); }

  std::optional<Expression> ParseBinary(int lowest) {
    std::optional<Expression> left = ParseUnary();
    while (left) {
      const TokenKind op = token_.kind;
      const int precedence = Precedence(op);
      if (precedence < lowest || precedence == 0) return left;
      Advance();
      Nesting nesting(*this);
      if (!nesting.ok()) return std::nullopt;
      // Only `^` groups from the right.
      std::optional<Expression> right =
          ParseBinary(op == TokenKind::kPower ? precedence : precedence + 1);
      if (!right) return std::nullopt;
      Expression binary{.kind = Expression::Kind::kBinary, .op = op};
      binary.span = Join(left->span, right->span);
      left = Combine(std::move(binary), *std::move(left), *std::move(right));
    }
    return left;
  }

  std::optional<Expression> ParseUnary() {
    if (token_.kind != TokenKind::kNot && token_.kind != TokenKind::kSubtract) {
      return ParsePostfix();
    }
    Nesting nesting(*this);
    if (!nesting.ok()) return std::nullopt;
    Expression unary{.kind = Expression::Kind::kUnary, .op = token_.kind, .span = token_.span};
    Advance();
    std::optional<Expression> operand = ParseUnary();
    if (!operand) return std::nullopt;
    unary.span = Join(unary.span, operand->span);
    return Combine(std::move(unary), *std::move(operand));
  }

  std::optional<Expression> ParsePostfix() {
    std::optional<Expression> expression = ParsePrimary();
    while (expression) {
      if (token_.kind == TokenKind::kDot) {
        expression = ParseAccess(*std::move(expression));
      } else if (token_.kind == TokenKind::kLeftBracket) {
        expression = ParseIndex(*std::move(expression));
      } else if (token_.kind == TokenKind::kLeftParen) {
        expression = ParseCall(*std::move(expression));
      } else {
        return expression;
      }
    }
    return expression;
  }

  std::optional<Expression> ParseAccess(Expression object) {
    Advance();
    Expression access{.kind = Expression::Kind::kAccess, .text = std::string(token_.span.text())};
    if (!Expect(TokenKind::kIdentifier)) return std::nullopt;
    access.span = SpanFrom(object.span.begin);
    return Combine(std::move(access), std::move(object));
  }

  std::optional<Expression> ParseIndex(Expression object) {
    Nesting nesting(*this);
    if (!nesting.ok()) return std::nullopt;
    Advance();
    std::optional<Expression> index = ParseExpression();
    if (!index || !Expect(TokenKind::kRightBracket)) return std::nullopt;
    Expression indexed{.kind = Expression::Kind::kIndex, .span = SpanFrom(object.span.begin)};
    return Combine(std::move(indexed), std::move(object), *std::move(index));
  }

  std::optional<Expression> ParseCall(Expression function) {
    Expression call{.kind = Expression::Kind::kCall};
    const std::uint32_t begin = function.span.begin;
    call.height = function.height + 1;
    call.operands.push_back(std::move(function));
    if (!ParseList(TokenKind::kRightParen, call)) return std::nullopt;
    call.span = SpanFrom(begin);
    return Bounded(std::move(call));
  }

  std::optional<Expression> ParsePrimary() {
    if (!CountNode()) return std::nullopt;
    const Span span = token_.span;
    const std::string_view text = span.text();
    switch (token_.kind) {
      case TokenKind::kIdentifier:
        return Leaf(Expression::Kind::kIdentifier, text);
      case TokenKind::kNumber:
      case TokenKind::kFloat:
        return Leaf(Expression::Kind::kNumber, text);
      case TokenKind::kString:
        return Leaf(Expression::Kind::kString, Unquote(text));
      case TokenKind::kBool:
        return Leaf(Expression::Kind::kBool, text);
      case TokenKind::kNull:
        return Leaf(Expression::Kind::kNull, text);
      case TokenKind::kLeftParen:
        return ParseParen();
      case TokenKind::kLeftBracket: {
        Expression array{.kind = Expression::Kind::kArray};
        if (!ParseList(TokenKind::kRightBracket, array)) return std::nullopt;
        array.span = SpanFrom(span.begin);
        return Bounded(std::move(array));
      }
      case TokenKind::kLeftBrace:
        return ParseObject();
      default:
        Expected("expression");
        return std::nullopt;
    }
  }

  std::optional<Expression> Leaf(Expression::Kind kind, std::string_view text) {
    Expression leaf{.kind = kind, .span = token_.span, .text = std::string(text)};
    Advance();
    return leaf;
  }

  std::optional<Expression> ParseParen() {
    Nesting nesting(*this);
    if (!nesting.ok()) return std::nullopt;
    const std::uint32_t begin = token_.span.begin;
    Advance();
    std::optional<Expression> inner = ParseExpression();
    if (!inner || !Expect(TokenKind::kRightParen)) return std::nullopt;
    Expression paren{.kind = Expression::Kind::kParen, .span = SpanFrom(begin)};
    return Combine(std::move(paren), *std::move(inner));
  }

  // Elements up to `end` become operands of `list`.
  bool ParseList(TokenKind end, Expression& list) {
    Nesting nesting(*this);
    if (!nesting.ok()) return false;
    Advance();
    while (token_.kind != end) {
      std::optional<Expression> element = ParseExpression();
      if (!element) return false;
      list.height = std::max(list.height, element->height + 1);
      list.operands.push_back(*std::move(element));
      if (token_.kind == end) break;
      if (!AcceptComma("expression list")) return false;
    }
    Advance();
    return true;
  }

  bool AcceptComma(std::string_view where) {
    if (Accept(TokenKind::kComma)) return true;
    Report(token_.span, fmt::format("missing ',' in {}", where));
    return false;
  }

  std::optional<Expression> ParseObject() {
    Nesting nesting(*this);
    if (!nesting.ok()) return std::nullopt;
    Expression object{.kind = Expression::Kind::kObject};
    const std::uint32_t begin = token_.span.begin;
    Advance();
    while (token_.kind != TokenKind::kRightBrace) {
      std::optional<ObjectField> field = ParseField();
      if (!field) return std::nullopt;
      object.height = std::max(object.height, field->value.height + 1);
      object.fields.push_back(*std::move(field));
      if (token_.kind == TokenKind::kRightBrace) break;
      if (!AcceptComma("field list")) return std::nullopt;
    }
    Advance();
    object.span = SpanFrom(begin);
    return Bounded(std::move(object));
  }

  std::optional<ObjectField> ParseField() {
    ObjectField field{.name_span = token_.span};
    if (token_.kind == TokenKind::kString) {
      // Without unescaping, as Alloy takes them.
      field.quoted = true;
      field.name = std::string(token_.span.text().substr(1, token_.span.text().size() - 2));
    } else if (token_.kind == TokenKind::kIdentifier) {
      field.name = std::string(token_.span.text());
    } else {
      Expected("field name (string or identifier)");
      return std::nullopt;
    }
    Advance();
    if (!Expect(TokenKind::kAssign)) return std::nullopt;
    std::optional<Expression> value = ParseExpression();
    if (!value) return std::nullopt;
    field.value = *std::move(value);
    return field;
  }

  template <typename... Operands>
  std::optional<Expression> Combine(Expression node, Operands... operands) {
    ((node.height = std::max(node.height, operands.height + 1)), ...);
    node.operands.reserve(sizeof...(operands));
    (node.operands.push_back(std::move(operands)), ...);
    return Bounded(std::move(node));
  }

  std::optional<Expression> Bounded(Expression node) {
    if (node.height > kMaxExpressionHeight) {
      GiveUp(fmt::format("expression of more than {} levels", kMaxExpressionHeight));
      return std::nullopt;
    }
    if (!CountNode()) return std::nullopt;
    return node;
  }

  const SourceFile& file_;
  Diagnostics& diagnostics_;
  Diagnostics lexical_;
  Lexer lexer_;
  Token token_;
  std::uint32_t last_end_ = 0;
  std::size_t reported_ = 0;
  int last_error_line_ = 0;
  int nesting_ = 0;
  int open_blocks_ = 0;
  std::size_t nodes_ = 0;
  bool gave_up_ = false;
};

bool CheckSize(const SourceFile& file, Diagnostics& diagnostics) {
  if (file.text().size() <= kMaxFileBytes) return true;
  diagnostics.Error({&file, 0, 0}, fmt::format("file of {} bytes; at most {} are read",
                                               file.text().size(), kMaxFileBytes));
  return false;
}

}  // namespace

Span Statement::span() const {
  if (const Attribute* a = attribute()) return Join(a->name_span, a->value.span);
  return block()->span;
}

bool IsIdentifier(std::string_view text) {
  const SourceFile file("", std::string(text));
  Diagnostics ignored;
  const Token token = Lexer(file, ignored).Next();
  return token.kind == TokenKind::kIdentifier && token.span.text() == text;
}

Body ParseFile(const SourceFile& file, Diagnostics& diagnostics, std::vector<Span>* comments) {
  if (!CheckSize(file, diagnostics)) return {};
  return Parser(file, diagnostics, comments).ParseFileBody();
}

std::optional<Expression> ParseExpression(const SourceFile& file, Diagnostics& diagnostics) {
  if (!CheckSize(file, diagnostics)) return std::nullopt;
  std::optional<Expression> expression = Parser(file, diagnostics, nullptr).ParseOnly();
  return diagnostics.has_errors() ? std::nullopt : std::move(expression);
}

}  // namespace stoker::config
