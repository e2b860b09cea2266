#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "services/common/model/labels.h"

namespace re2 {
class RE2;
}

namespace stoker::store {

// One condition on a label. An absent label has the value "".
class Matcher {
 public:
  enum class Type { kEqual, kNotEqual, kRegex, kNotRegex };

  // INVALID_ARGUMENT for an expression that RE2 refuses.
  static absl::StatusOr<Matcher> Create(Type type, std::string name, std::string value);

  [[nodiscard]] bool Matches(std::string_view value) const;

  [[nodiscard]] Type type() const { return type_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::string& value() const { return value_; }

 private:
  Type type_ = Type::kEqual;
  std::string name_;
  std::string value_;
  // Anchored at both ends; '.' matches a line break too, as Prometheus has it.
  std::shared_ptr<const re2::RE2> regex_;
};

// All of its matchers must hold; an empty one matches everything.
class Selector {
 public:
  Selector() = default;
  explicit Selector(std::vector<Matcher> matchers) : matchers_(std::move(matchers)) {}

  [[nodiscard]] bool Matches(const model::Labels& labels) const;
  void Add(Matcher matcher) { matchers_.push_back(std::move(matcher)); }
  [[nodiscard]] const std::vector<Matcher>& matchers() const { return matchers_; }

 private:
  std::vector<Matcher> matchers_;
};

// Prometheus' metric selector: `name{a="x", b!="y", c=~"re", 'd e'!~`re`}`. The name before the
// brace is a matcher of __name__. INVALID_ARGUMENT with the position for anything else; "" is no
// selector, {} is.
absl::StatusOr<Selector> ParseSelector(std::string_view text);

}  // namespace stoker::store
