#include "services/common/config/schema/schema.h"

#include <algorithm>

#include "services/common/config/eval/number.h"
#include "services/common/config/syntax/string_literal.h"

namespace stoker::config {
namespace {

template <typename Item>
const Item* FindByName(const std::vector<Item>& items, std::string_view name) {
  const auto it = std::find_if(items.begin(), items.end(),
                               [name](const Item& item) { return item.name == name; });
  return it == items.end() ? nullptr : &*it;
}

}  // namespace

const AttributeSchema* Schema::FindAttribute(std::string_view name) const {
  return FindByName(attributes_, name);
}

const BlockSchema* Schema::FindBlock(std::string_view name) const {
  return FindByName(blocks_, name);
}

absl::Status Schema::Validate(const void* object) const {
  return validate_ ? validate_(object) : absl::OkStatus();
}

std::string TypeText(const bool*) { return "bool"; }
std::string TypeText(const double*) { return "number"; }
std::string TypeText(const std::string*) { return "string"; }
std::string TypeText(const Secret*) { return "secret"; }
std::string TypeText(const absl::Duration*) { return "duration"; }
std::string TypeText(const Value*) { return "any"; }

std::string DefaultText(bool value) { return value ? "true" : "false"; }
std::string DefaultText(double value) { return NumberText(Value(value)); }
std::string DefaultText(const std::string& value) { return Quote(value); }
std::string DefaultText(const Secret&) { return ""; }
std::string DefaultText(absl::Duration value) { return Quote(DurationText(value)); }

std::string DurationText(absl::Duration duration) {
  // absl leaves out parts that are zero; Go does not, but reads both.
  return absl::FormatDuration(duration);
}

}  // namespace stoker::config
