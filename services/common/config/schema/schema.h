#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <typeindex>
#include <vector>

#include <absl/status/status.h>

#include "services/common/config/eval/conversion.h"
#include "services/common/config/eval/value.h"

namespace stoker::config {

// What one block of the language takes, and how it fills a struct. Schemas are made by
// SchemaBuilder and live as long as the process.
class Schema;

struct AttributeSchema {
  std::string name;
  // As the reference pages name it: "list(map(string))".
  std::string type;
  std::string description;
  bool required = false;
  // The default as the language writes it; "" when there is none to show.
  std::string default_text;
  // A list of targets, which no struct holds: discovery evaluates it.
  bool takes_targets = false;
  // Accepted and without effect.
  bool ignored = false;
  // Sets the member of `object`, the block's struct.
  std::function<std::optional<Mismatch>(const Value& value, void* object)> assign;
};

struct BlockSchema {
  std::string name;
  std::string description;
  bool required = false;
  bool repeated = false;
  bool labelled = false;
  const Schema* schema = nullptr;
  // The struct that a new block of this name fills: a member of `object`, the parent's struct.
  std::function<void*(void* object, const std::string& label)> enter;
};

class Schema {
 public:
  Schema(std::type_index type, std::function<std::shared_ptr<void>()> make)
      : type_(type), make_(std::move(make)) {}

  [[nodiscard]] std::type_index type() const { return type_; }
  // A new struct with its defaults.
  [[nodiscard]] std::shared_ptr<void> Make() const { return make_(); }
  [[nodiscard]] const std::vector<AttributeSchema>& attributes() const { return attributes_; }
  [[nodiscard]] const std::vector<BlockSchema>& blocks() const { return blocks_; }
  [[nodiscard]] const AttributeSchema* FindAttribute(std::string_view name) const;
  [[nodiscard]] const BlockSchema* FindBlock(std::string_view name) const;
  // Checks what the attributes and blocks of a finished struct say together.
  [[nodiscard]] absl::Status Validate(const void* object) const;

 private:
  template <typename T>
  friend class SchemaBuilder;

  std::type_index type_;
  std::function<std::shared_ptr<void>()> make_;
  std::vector<AttributeSchema> attributes_;
  std::vector<BlockSchema> blocks_;
  std::function<absl::Status(const void*)> validate_;
};

// Names and literals of types, for the pages.
std::string TypeText(const bool*);
std::string TypeText(const double*);
std::string TypeText(const std::string*);
std::string TypeText(const Secret*);
std::string TypeText(const absl::Duration*);
std::string TypeText(const Value*);
template <std::integral T>
  requires(!std::same_as<T, bool>)
std::string TypeText(const T*) {
  return "number";
}
template <typename T>
std::string TypeText(const std::vector<T>*) {
  return "list(" + TypeText(static_cast<const T*>(nullptr)) + ")";
}
template <typename T>
std::string TypeText(const std::map<std::string, T>*) {
  return "map(" + TypeText(static_cast<const T*>(nullptr)) + ")";
}
std::string DefaultText(bool value);
std::string DefaultText(double value);
std::string DefaultText(const std::string& value);
std::string DefaultText(const Secret& value);
std::string DefaultText(absl::Duration value);
template <std::integral T>
  requires(!std::same_as<T, bool>)
std::string DefaultText(T value) {
  return fmt::format("{}", value);
}
template <typename T>
std::string DefaultText(const std::vector<T>&) {
  return "";
}
template <typename T>
std::string DefaultText(const std::map<std::string, T>&) {
  return "";
}

// A duration as Go prints it: "1m30s", "500ms".
std::string DurationText(absl::Duration duration);

// The struct of blocks that are accepted without effect.
struct Nothing {};

// Builds the schema of T from its members; T's own initializers are the defaults.
template <typename T>
class SchemaBuilder {
 public:
  SchemaBuilder() = default;
  // For a part of a larger struct, which has defaults of its own.
  explicit SchemaBuilder(const T& defaults) : defaults_(defaults) {}

  template <typename M>
  SchemaBuilder& Required(std::string name, M T::* member, std::string description) {
    Attribute(std::move(name), member, std::move(description)).required = true;
    return *this;
  }

  template <typename M>
  SchemaBuilder& Optional(std::string name, M T::* member, std::string description) {
    AttributeSchema& attribute = Attribute(std::move(name), member, std::move(description));
    attribute.default_text = DefaultText(defaults_.*member);
    return *this;
  }

  // A member that holds an enumeration; its names in the language.
  template <typename E>
  SchemaBuilder& Choice(std::string name, E T::* member,
                        std::vector<std::pair<std::string, E>> choices, std::string description) {
    std::string default_text;
    for (const auto& [text, value] : choices) {
      if (value == defaults_.*member && default_text.empty()) default_text = DefaultText(text);
    }
    AddChoice(std::move(name), member, std::move(choices), std::move(description)).default_text =
        std::move(default_text);
    return *this;
  }

  template <typename E>
  SchemaBuilder& RequiredChoice(std::string name, E T::* member,
                                std::vector<std::pair<std::string, E>> choices,
                                std::string description) {
    AddChoice(std::move(name), member, std::move(choices), std::move(description)).required = true;
    return *this;
  }

  // An attribute with a conversion of its own.
  SchemaBuilder& Custom(std::string name, std::string type, std::string default_text,
                        std::function<std::optional<Mismatch>(const Value&, T&)> assign,
                        std::string description) {
    AttributeSchema& attribute = Add(std::move(name), std::move(type), std::move(description));
    attribute.default_text = std::move(default_text);
    attribute.assign = [assign = std::move(assign)](const Value& value, void* object) {
      return assign(value, *static_cast<T*>(object));
    };
    return *this;
  }

  // A list of receivers, as component ids.
  SchemaBuilder& Receivers(std::string name, std::vector<std::string> T::* member, bool required,
                           std::string description) {
    AttributeSchema& attribute =
        Add(std::move(name), "list(ProfilesReceiver)", std::move(description));
    attribute.required = required;
    attribute.assign = [member](const Value& value, void* object) {
      return ConvertReceivers(value, static_cast<T*>(object)->*member);
    };
    return *this;
  }

  // A list of targets, which the struct does not hold.
  SchemaBuilder& Targets(std::string name, bool required, std::string description) {
    AttributeSchema& attribute = Add(std::move(name), "list(map(string))", std::move(description));
    attribute.required = required;
    attribute.takes_targets = true;
    attribute.assign = [](const Value& value, void*) {
      model::TargetVector targets;
      return ConvertTargets(value, targets);
    };
    return *this;
  }

  // An attribute of older releases, accepted without effect.
  template <typename M>
  SchemaBuilder& Ignored(std::string name, std::string description = "Accepted without effect.") {
    AttributeSchema& attribute =
        Add(std::move(name), TypeText(static_cast<const M*>(nullptr)), std::move(description));
    attribute.ignored = true;
    attribute.assign = [](const Value& value, void*) {
      M unused{};
      return ConvertTo(value, unused);
    };
    return *this;
  }

  // A block at most once; the member is a struct, or an optional one.
  template <typename B>
  SchemaBuilder& Block(std::string name, B T::* member, const Schema& schema,
                       std::string description, bool required = false) {
    BlockSchema& block = AddBlock(std::move(name), schema, std::move(description));
    block.required = required;
    block.enter = [member](void* object, const std::string&) -> void* {
      B& target = static_cast<T*>(object)->*member;
      if constexpr (requires { target.emplace(); }) {
        return &target.emplace();
      } else {
        return &target;
      }
    };
    return *this;
  }

  // A block at most once that fills T itself: a part of T, with a schema of its own.
  SchemaBuilder& Section(std::string name, const Schema& schema, std::string description) {
    AddBlock(std::move(name), schema, std::move(description)).enter =
        [](void* object, const std::string&) { return object; };
    return *this;
  }

  // A block of attributes that are all ignored.
  SchemaBuilder& IgnoredBlock(std::string name, const Schema& schema) {
    BlockSchema& block = AddBlock(std::move(name), schema, "Accepted without effect.");
    block.enter = [](void*, const std::string&) -> void* {
      static Nothing nothing;
      return &nothing;
    };
    return *this;
  }

  // A block any number of times.
  template <typename B>
  SchemaBuilder& Blocks(std::string name, std::vector<B> T::* member, const Schema& schema,
                        std::string description, bool required = false) {
    BlockSchema& block = AddBlock(std::move(name), schema, std::move(description));
    block.required = required;
    block.repeated = true;
    block.enter = [member](void* object, const std::string&) -> void* {
      return &(static_cast<T*>(object)->*member).emplace_back();
    };
    return *this;
  }

  // A block with a label, any number of times, each label once.
  template <typename B>
  SchemaBuilder& LabelledBlocks(std::string name, std::map<std::string, B> T::* member,
                                const Schema& schema, std::string description) {
    BlockSchema& block = AddBlock(std::move(name), schema, std::move(description));
    block.repeated = true;
    block.labelled = true;
    block.enter = [member](void* object, const std::string& label) -> void* {
      return &(static_cast<T*>(object)->*member)[label];
    };
    return *this;
  }

  // Takes over the attributes and blocks of a member's schema as if they were T's own. The
  // member's Validate is called before T's.
  template <typename M>
  SchemaBuilder& Squash(M T::* member, const Schema& inner) {
    for (AttributeSchema attribute : inner.attributes()) {
      attribute.assign = [member, assign = attribute.assign](const Value& value, void* object) {
        return assign(value, &(static_cast<T*>(object)->*member));
      };
      attributes().push_back(std::move(attribute));
    }
    for (BlockSchema block : inner.blocks()) {
      block.enter = [member, enter = block.enter](void* object, const std::string& label) {
        return enter(&(static_cast<T*>(object)->*member), label);
      };
      schema_->blocks_.push_back(std::move(block));
    }
    checks_.push_back(
        [member, &inner](const T& object) { return inner.Validate(&(object.*member)); });
    return *this;
  }

  SchemaBuilder& Validate(std::function<absl::Status(const T&)> validate) {
    checks_.push_back(std::move(validate));
    return *this;
  }

  // Ends the building.
  const Schema* Build() {
    schema_->validate_ = [checks = std::move(checks_)](const void* object) {
      for (const auto& check : checks) {
        const absl::Status status = check(*static_cast<const T*>(object));
        if (!status.ok()) return status;
      }
      return absl::OkStatus();
    };
    return schema_.release();
  }

 private:
  std::vector<AttributeSchema>& attributes() { return schema_->attributes_; }

  AttributeSchema& Add(std::string name, std::string type, std::string description) {
    return attributes().emplace_back(AttributeSchema{
        .name = std::move(name), .type = std::move(type), .description = std::move(description)});
  }

  template <typename M>
  AttributeSchema& Attribute(std::string name, M T::* member, std::string description) {
    AttributeSchema& attribute =
        Add(std::move(name), TypeText(static_cast<const M*>(nullptr)), std::move(description));
    attribute.assign = [member](const Value& value, void* object) {
      return ConvertTo(value, static_cast<T*>(object)->*member);
    };
    return attribute;
  }

  template <typename E>
  AttributeSchema& AddChoice(std::string name, E T::* member,
                             std::vector<std::pair<std::string, E>> choices,
                             std::string description) {
    AttributeSchema& attribute = Add(name, "string", std::move(description));
    attribute.assign = [member, name = std::move(name), choices = std::move(choices)](
                           const Value& value, void* object) -> std::optional<Mismatch> {
      std::string text;
      if (auto mismatch = ConvertTo(value, text)) return mismatch;
      std::string known;
      for (const auto& [choice, chosen] : choices) {
        if (choice == text) {
          static_cast<T*>(object)->*member = chosen;
          return std::nullopt;
        }
        if (!choice.empty()) known += (known.empty() ? "" : ", ") + choice;
      }
      return Mismatch(
          fmt::format("invalid {} {}, expected one of {}", name, DefaultText(text), known));
    };
    return attribute;
  }

  BlockSchema& AddBlock(std::string name, const Schema& schema, std::string description) {
    return schema_->blocks_.emplace_back(BlockSchema{
        .name = std::move(name), .description = std::move(description), .schema = &schema});
  }

  const T defaults_{};
  std::unique_ptr<Schema> schema_ = std::make_unique<Schema>(
      typeid(T), [] { return std::static_pointer_cast<void>(std::make_shared<T>()); });
  std::vector<std::function<absl::Status(const T&)>> checks_;
};

}  // namespace stoker::config
