#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <absl/status/statusor.h>

#include "services/common/config/components/relabel_rule.h"
#include "services/common/config/secret.h"
#include "services/common/model/target.h"

namespace stoker::config {

// A component that takes profiles, by its id.
struct Receiver {
  std::string component_id;
  bool operator==(const Receiver&) const = default;
};

using RelabelRules = std::vector<RelabelRule>;

// A value of the Alloy language. Immutable; copies share what is large.
class Value {
 public:
  enum class Type { kNull, kNumber, kString, kBool, kArray, kObject, kFunction, kCapsule };

  using Array = std::vector<Value>;
  using Object = std::map<std::string, Value, std::less<>>;
  // The error has no place yet; the caller knows it.
  struct Function {
    std::string name;
    std::function<absl::StatusOr<Value>(const Array& arguments)> call;
  };

  Value() = default;
  explicit Value(bool value) : data_(value) {}
  explicit Value(std::int64_t value) : data_(value) {}
  explicit Value(std::uint64_t value) : data_(value) {}
  explicit Value(double value) : data_(value) {}
  explicit Value(std::string value) : data_(std::move(value)) {}
  explicit Value(std::string_view value) : data_(std::string(value)) {}
  explicit Value(const char* value) : data_(std::string(value)) {}
  explicit Value(Secret value) : data_(std::move(value)) {}
  explicit Value(Array value) : data_(std::make_shared<const Array>(std::move(value))) {}
  explicit Value(Object value) : data_(std::make_shared<const Object>(std::move(value))) {}
  explicit Value(Function value) : data_(std::make_shared<const Function>(std::move(value))) {}
  // Capsules.
  explicit Value(Receiver value) : data_(std::move(value)) {}
  explicit Value(model::TargetPtr value) : data_(std::move(value)) {}
  explicit Value(std::shared_ptr<const RelabelRules> value) : data_(std::move(value)) {}

  [[nodiscard]] Type type() const;
  [[nodiscard]] bool is_null() const { return type() == Type::kNull; }
  // A capsule that reads as an object too.
  [[nodiscard]] const model::TargetPtr* target() const { return As<model::TargetPtr>(); }

  // The content, when the value holds just this type; else null.
  template <typename T>
  [[nodiscard]] const T* As() const {
    return std::get_if<T>(&data_);
  }
  [[nodiscard]] const Array* array() const { return Shared<Array>(); }
  [[nodiscard]] const Object* object() const { return Shared<Object>(); }
  [[nodiscard]] const Function* function() const { return Shared<Function>(); }

  // The number as a double; nothing for other types.
  [[nodiscard]] std::optional<double> number() const;
  // Null, zero, false, "" and what is empty.
  [[nodiscard]] bool is_zero() const;

  // `==` of the language: different types are unequal, numbers compare by value.
  bool operator==(const Value& other) const;

 private:
  template <typename T>
  [[nodiscard]] const T* Shared() const {
    const auto* pointer = std::get_if<std::shared_ptr<const T>>(&data_);
    return pointer == nullptr ? nullptr : pointer->get();
  }

  std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string, Secret,
               std::shared_ptr<const Array>, std::shared_ptr<const Object>,
               std::shared_ptr<const Function>, Receiver, model::TargetPtr,
               std::shared_ptr<const RelabelRules>>
      data_;
};

// As messages name it: "number", "capsule".
std::string_view TypeName(Value::Type type);

// The labels of a target as an object.
Value::Object ToObject(const model::Target& target);

// As Go's %v prints it: `15`, `true`, `[a b]`; secrets are hidden.
std::string Print(const Value& value);

}  // namespace stoker::config
