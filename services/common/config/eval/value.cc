#include "services/common/config/eval/value.h"

#include <fmt/format.h>

#include "services/common/config/eval/number.h"

namespace stoker::config {

Value::Type Value::type() const {
  struct Visitor {
    Type operator()(std::monostate) const { return Type::kNull; }
    Type operator()(bool) const { return Type::kBool; }
    Type operator()(std::int64_t) const { return Type::kNumber; }
    Type operator()(std::uint64_t) const { return Type::kNumber; }
    Type operator()(double) const { return Type::kNumber; }
    Type operator()(const std::string&) const { return Type::kString; }
    Type operator()(const std::shared_ptr<const Array>&) const { return Type::kArray; }
    Type operator()(const std::shared_ptr<const Object>&) const { return Type::kObject; }
    Type operator()(const std::shared_ptr<const Function>&) const { return Type::kFunction; }
    Type operator()(const Secret&) const { return Type::kCapsule; }
    Type operator()(const Receiver&) const { return Type::kCapsule; }
    Type operator()(const model::TargetPtr&) const { return Type::kCapsule; }
    Type operator()(const std::shared_ptr<const RelabelRules>&) const { return Type::kCapsule; }
  };
  return std::visit(Visitor(), data_);
}

std::optional<double> Value::number() const {
  if (const auto* i = As<std::int64_t>()) return static_cast<double>(*i);
  if (const auto* u = As<std::uint64_t>()) return static_cast<double>(*u);
  if (const auto* d = As<double>()) return *d;
  return std::nullopt;
}

bool Value::is_zero() const {
  if (is_null()) return true;
  if (const auto n = number()) return *n == 0;
  if (const auto* b = As<bool>()) return !*b;
  if (const auto* s = As<std::string>()) return s->empty();
  if (const auto* secret = As<Secret>()) return secret->empty();
  if (array() != nullptr) return array()->empty();
  if (object() != nullptr) return object()->empty();
  return false;
}

bool Value::operator==(const Value& other) const {
  if (type() != other.type()) return false;
  if (type() == Type::kNumber) return CompareNumbers(*this, other) == 0;
  if (array() != nullptr) return *array() == *other.array();
  if (object() != nullptr) return *object() == *other.object();
  if (target() != nullptr && other.target() != nullptr) {
    return (*target())->labels == (*other.target())->labels;
  }
  if (data_.index() != other.data_.index()) return false;
  const auto* rules = Shared<RelabelRules>();
  return rules != nullptr ? *rules == *other.Shared<RelabelRules>() : data_ == other.data_;
}

std::string_view TypeName(Value::Type type) {
  switch (type) {
    case Value::Type::kNull:
      return "null";
    case Value::Type::kNumber:
      return "number";
    case Value::Type::kString:
      return "string";
    case Value::Type::kBool:
      return "bool";
    case Value::Type::kArray:
      return "array";
    case Value::Type::kObject:
      return "object";
    case Value::Type::kFunction:
      return "function";
    case Value::Type::kCapsule:
      return "capsule";
  }
  return "";
}

Value::Object ToObject(const model::Target& target) {
  Value::Object object;
  for (const model::LabelView label : target.labels)
    object.emplace(std::string(label.name), Value(std::string(label.value)));
  return object;
}

std::string Print(const Value& value) {
  if (value.is_null()) return "<nil>";
  if (value.number()) return NumberText(value);
  if (const auto* b = value.As<bool>()) return *b ? "true" : "false";
  if (const auto* s = value.As<std::string>()) return *s;
  if (value.As<Secret>() != nullptr) return kHiddenSecret;
  if (const auto* receiver = value.As<Receiver>()) return receiver->component_id;
  if (const auto* array = value.array()) {
    std::string text;
    for (const Value& element : *array) text += (text.empty() ? "" : " ") + Print(element);
    return "[" + text + "]";
  }
  const Value::Object object = value.target() != nullptr   ? ToObject(**value.target())
                               : value.object() != nullptr ? *value.object()
                                                           : Value::Object();
  std::string text;
  for (const auto& [name, field] : object) {
    text += fmt::format("{}{}:{}", text.empty() ? "" : " ", name, Print(field));
  }
  return "map[" + text + "]";
}

}  // namespace stoker::config
