#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "services/common/config/syntax/source.h"
#include "services/common/config/syntax/token.h"

namespace stoker::config {

struct ObjectField;

// An expression. One type for all kinds: what a kind uses is said beside it.
struct Expression {
  enum class Kind {
    kNull,
    kBool,        // text
    kNumber,      // text
    kString,      // text, unquoted
    kIdentifier,  // text
    kArray,       // operands
    kObject,      // fields
    kAccess,      // operands[0] . text
    kIndex,       // operands[0] [ operands[1] ]
    kCall,        // operands[0] ( operands[1…] )
    kUnary,       // op operands[0]
    kBinary,      // operands[0] op operands[1]
    kParen,       // ( operands[0] )
  };

  Kind kind = Kind::kNull;
  TokenKind op = TokenKind::kInvalid;
  // The longest way down to a leaf; the parser bounds it, so that walks may recurse.
  int height = 1;
  Span span;
  std::string text;
  std::vector<Expression> operands;
  std::vector<ObjectField> fields;
};

struct ObjectField {
  std::string name;
  Span name_span;
  bool quoted = false;
  Expression value;
};

struct Statement;

struct Body {
  std::vector<Statement> statements;
};

struct Attribute {
  std::string name;
  Span name_span;
  Expression value;
};

struct Block {
  // "discovery.relabel".
  std::string name;
  Span name_span;
  // "" without a label.
  std::string label;
  Span label_span;
  Body body;
  // The whole block; its head ends before the brace.
  Span span;
  Span left_brace;
};

struct Statement {
  std::variant<Attribute, Block> node;

  [[nodiscard]] const Attribute* attribute() const { return std::get_if<Attribute>(&node); }
  [[nodiscard]] const Block* block() const { return std::get_if<Block>(&node); }
  [[nodiscard]] Span span() const;
};

// A letter or `_`, then letters, digits and `_`.
bool IsIdentifier(std::string_view text);

}  // namespace stoker::config
