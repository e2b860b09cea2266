#include "services/common/config/syntax/syntax_dump.h"

#include <fmt/format.h>

#include "services/common/config/syntax/string_literal.h"

namespace stoker::config {

std::string Dump(const Expression& expression) {
  switch (expression.kind) {
    case Expression::Kind::kString:
      return Quote(expression.text);
    case Expression::Kind::kArray: {
      std::string text;
      for (const Expression& element : expression.operands) text += Dump(element) + ",";
      return "[" + text + "]";
    }
    case Expression::Kind::kObject: {
      std::string text;
      for (const ObjectField& field : expression.fields) {
        text += fmt::format("{}={},", field.name, Dump(field.value));
      }
      return "{" + text + "}";
    }
    case Expression::Kind::kAccess:
      return fmt::format("{}.{}", Dump(expression.operands[0]), expression.text);
    case Expression::Kind::kIndex:
      return fmt::format("{}[{}]", Dump(expression.operands[0]), Dump(expression.operands[1]));
    case Expression::Kind::kCall: {
      std::string text;
      for (std::size_t i = 1; i < expression.operands.size(); ++i) {
        text += Dump(expression.operands[i]) + ",";
      }
      return fmt::format("{}({})", Dump(expression.operands[0]), text);
    }
    case Expression::Kind::kUnary:
      return fmt::format("<{}{}>", TokenName(expression.op), Dump(expression.operands[0]));
    case Expression::Kind::kBinary:
      return fmt::format("<{}{}{}>", Dump(expression.operands[0]), TokenName(expression.op),
                         Dump(expression.operands[1]));
    case Expression::Kind::kParen:
      return fmt::format("({})", Dump(expression.operands[0]));
    default:
      return expression.text;
  }
}

std::string Dump(const Body& body) {
  std::string text;
  for (const Statement& statement : body.statements) {
    if (const Attribute* attribute = statement.attribute()) {
      text += fmt::format("{}={};", attribute->name, Dump(attribute->value));
    } else {
      const Block& block = *statement.block();
      text += fmt::format("{}:{}{{{}}};", block.name, block.label, Dump(block.body));
    }
  }
  return text;
}

}  // namespace stoker::config
