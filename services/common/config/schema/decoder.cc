#include "services/common/config/schema/decoder.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "services/common/base/status.h"

namespace stoker::config {
namespace {

// Decodes one block; nested blocks by decoders of their own.
class Decoder {
 public:
  Decoder(const Schema& schema, const DecodeOptions& options, void* object,
          Diagnostics& diagnostics)
      : schema_(schema), options_(options), object_(object), diagnostics_(diagnostics) {}

  bool Decode(const Body& body, const Span& place) {
    for (const Statement& statement : body.statements) {
      if (const Attribute* attribute = statement.attribute()) {
        DecodeAttribute(*attribute);
      } else {
        DecodeNested(*statement.block());
      }
    }
    CheckRequired(place);
    if (!complete_ || !options_.check_values) return complete_;
    const absl::Status status = schema_.Validate(object_);
    if (!status.ok()) Refuse(place, std::string(Message(status)));
    return complete_;
  }

 private:
  void Refuse(const Span& span, std::string message) {
    complete_ = false;
    diagnostics_.Error(span, std::move(message));
  }

  void DecodeAttribute(const Attribute& attribute) {
    const AttributeSchema* schema = schema_.FindAttribute(attribute.name);
    if (schema == nullptr) {
      const bool is_block = schema_.FindBlock(attribute.name) != nullptr;
      return Refuse(attribute.name_span,
                    is_block ? fmt::format("\"{}\" must be a block, but is used as an attribute",
                                           attribute.name)
                             : fmt::format("unrecognized attribute name \"{}\"", attribute.name));
    }
    if (!seen_.insert(attribute.name).second) {
      return Refuse(attribute.name_span,
                    fmt::format("attribute \"{}\" may only be provided once", attribute.name));
    }
    const std::optional<Value> value = options_.evaluate(*schema, attribute.value);
    if (!value) {
      complete_ = false;
    } else if (const auto mismatch = schema->assign(*value, object_)) {
      complete_ = false;
      if (!mismatch->of_type && !options_.check_values) return;
      ReportMismatch(attribute.value, *mismatch, diagnostics_);
    }
  }

  void DecodeNested(const Block& block) {
    const BlockSchema* schema = schema_.FindBlock(block.name);
    if (schema == nullptr) {
      const bool is_attribute = schema_.FindAttribute(block.name) != nullptr;
      return Refuse(
          block.name_span,
          is_attribute
              ? fmt::format("\"{}\" must be an attribute, but is used as a block", block.name)
              : fmt::format("unrecognized block name \"{}\"", block.name));
    }
    if (!CheckLabel(block, *schema)) return;
    const std::string key = block.name + "\n" + (schema->labelled ? block.label : "");
    const bool once = !schema->repeated || schema->labelled;
    if (!seen_.insert(key).second && once) {
      return Refuse(block.name_span,
                    fmt::format("block \"{}\" may only be specified once", block.name));
    }
    complete_ &= config::DecodeBlock(block.body, HeadOf(block), *schema->schema, options_,
                                     schema->enter(object_, block.label), diagnostics_);
  }

  bool CheckLabel(const Block& block, const BlockSchema& schema) {
    if (schema.labelled == !block.label.empty()) return true;
    Refuse(block.name_span,
           schema.labelled
               ? fmt::format("block \"{}\" requires non-empty label", block.name)
               : fmt::format("block \"{}\" does not support specifying labels", block.name));
    return false;
  }

  void CheckRequired(const Span& place) {
    for (const AttributeSchema& attribute : schema_.attributes()) {
      if (attribute.required && !seen_.contains(attribute.name)) {
        Refuse(place, fmt::format("missing required attribute \"{}\"", attribute.name));
      }
    }
    for (const BlockSchema& block : schema_.blocks()) {
      if (!block.required) continue;
      const auto it = seen_.lower_bound(block.name + "\n");
      if (it == seen_.end() || !it->starts_with(block.name + "\n")) {
        Refuse(place, fmt::format("missing required block \"{}\"", block.name));
      }
    }
  }

  static Span HeadOf(const Block& block) {
    return block.label.empty() ? block.name_span : Join(block.name_span, block.label_span);
  }

  const Schema& schema_;
  const DecodeOptions& options_;
  void* const object_;
  Diagnostics& diagnostics_;
  // Names of attributes; of blocks with a newline and the label behind.
  std::set<std::string> seen_;
  bool complete_ = true;
};

// The part of a written-out expression that a step leads to; null when it is not written out.
const Expression* Part(const Expression& expression, const Mismatch::Step& step) {
  if (expression.kind == Expression::Kind::kParen) return Part(expression.operands[0], step);
  if (const auto* index = std::get_if<std::size_t>(&step)) {
    const bool inside =
        expression.kind == Expression::Kind::kArray && *index < expression.operands.size();
    return inside ? &expression.operands[*index] : nullptr;
  }
  if (expression.kind != Expression::Kind::kObject) return nullptr;
  const auto it = std::find_if(
      expression.fields.begin(), expression.fields.end(),
      [&](const ObjectField& field) { return field.name == std::get<std::string>(step); });
  return it == expression.fields.end() ? nullptr : &it->value;
}

// The source of an expression, on one line and not too long.
std::string Excerpt(const Expression& expression) {
  constexpr std::size_t kMaxBytes = 100;
  std::string text(expression.span.text());
  if (text.size() > kMaxBytes) text = text.substr(0, kMaxBytes) + "…";
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

}  // namespace

bool DecodeBlock(const Body& body, const Span& place, const Schema& schema,
                 const DecodeOptions& options, void* object, Diagnostics& diagnostics) {
  return Decoder(schema, options, object, diagnostics).Decode(body, place);
}

void ReportMismatch(const Expression& expression, const Mismatch& mismatch,
                    Diagnostics& diagnostics) {
  const Expression* at = &expression;
  std::size_t walked = 0;
  for (; walked < mismatch.path.size(); ++walked) {
    const Expression* part = Part(*at, mismatch.path[walked]);
    if (part == nullptr) break;
    at = part;
  }
  if (!mismatch.of_type) return diagnostics.Error(at->span, mismatch.message);
  std::string path;
  for (; walked < mismatch.path.size(); ++walked) {
    const auto* index = std::get_if<std::size_t>(&mismatch.path[walked]);
    path += index != nullptr ? fmt::format("[{}]", *index)
                             : "." + std::get<std::string>(mismatch.path[walked]);
  }
  diagnostics.Error(at->span, Excerpt(*at) + path + " " + mismatch.message);
}

}  // namespace stoker::config
