#include "services/common/config/eval/array_functions.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "services/common/base/status.h"
#include "services/common/config/eval/function.h"

namespace stoker::config {
namespace {

using Result = absl::StatusOr<Value>;
using Keys = std::vector<std::string>;

Value::Object FieldsOf(const Value& value) {
  if (value.target() != nullptr) return ToObject(**value.target());
  return value.object() != nullptr ? *value.object() : Value::Object();
}

Result Concat(const Value::Array& arguments) {
  Value::Array all;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i].array() == nullptr) {
      return ArgumentError(i, Mismatch::Expected("array", arguments[i]));
    }
    all.insert(all.end(), arguments[i].array()->begin(), arguments[i].array()->end());
  }
  return Value(std::move(all));
}

bool EqualIn(const Keys& keys, const Value::Object& left, const Value::Object& right) {
  for (const std::string& key : keys) {
    const auto a = left.find(key);
    const auto b = right.find(key);
    if (a == left.end() || b == right.end() || !(a->second == b->second)) return false;
  }
  return true;
}

// Each object of the left list with every object of the right list that has the same values at
// `keys`; the right one's fields win. Left objects without a partner stay with `pass_through`.
Result CombineMaps(const Value::Array& arguments) {
  Value::Array left;
  Value::Array right;
  Keys keys;
  bool pass_through = false;
  if (arguments.size() != 3 && arguments.size() != 4) {
    return InvalidArgument("expected 3 or 4 arguments, got {}", arguments.size());
  }
  if (auto m = ConvertTo(arguments[0], left)) return ArgumentError(0, *m);
  if (auto m = ConvertTo(arguments[1], right)) return ArgumentError(1, *m);
  if (auto m = ConvertTo(arguments[2], keys)) return ArgumentError(2, *m);
  if (arguments.size() == 4) {
    if (auto m = ConvertTo(arguments[3], pass_through)) return ArgumentError(3, *m);
  }
  if (keys.empty()) return InvalidArgument("argument 3 should not be empty");
  Value::Array combined;
  for (const Value& one : left) {
    const Value::Object fields = FieldsOf(one);
    const std::size_t before = combined.size();
    for (const Value& other : right) {
      Value::Object merged = FieldsOf(other);
      if (!EqualIn(keys, fields, merged)) continue;
      merged.insert(fields.begin(), fields.end());
      combined.emplace_back(std::move(merged));
    }
    if (combined.size() == before && pass_through) combined.push_back(one);
  }
  return Value(std::move(combined));
}

// The objects of a list by their value at `key`, as a list of {key = value, items = […]}.
Result GroupBy(const Value::Array& list, const std::string& key, bool drop_missing) {
  std::map<std::string, Value::Array> groups;
  for (const Value& element : list) {
    const Value::Object fields = FieldsOf(element);
    const auto it = fields.find(key);
    if (it == fields.end() && drop_missing) continue;
    groups[it == fields.end() ? "" : Print(it->second)].push_back(element);
  }
  Value::Array grouped;
  for (auto& [value, items] : groups) {
    grouped.emplace_back(Value::Object{{key, Value(value)}, {"items", Value(std::move(items))}});
  }
  return Value(std::move(grouped));
}

}  // namespace

Value::Object ArrayFunctions() {
  return {{"concat", DefineVariadic("concat", Concat)},
          {"combine_maps", DefineVariadic("combine_maps", CombineMaps)},
          {"group_by", Define<Value::Array, std::string, bool>("group_by", GroupBy)}};
}

}  // namespace stoker::config
