#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace stoker::cli {

// One thing that `stoker doctor` looked at.
struct Check {
  enum class Level { kOk, kWarning, kError };
  // Stays the same over versions: "btf", "endpoint.unauthorized".
  std::string id;
  Level level = Level::kOk;
  // What is so, in a few words.
  std::string title;
  // What was seen; "" for nothing to add.
  std::string detail;
  // What mends it: what to type where that is known. "" where all is well.
  std::string remedy;
};
using Checks = std::vector<Check>;

// {"checks": [{"id", "level": "ok|warning|error", "title", "detail", "remedy"}]}
nlohmann::ordered_json ToJson(const Checks& checks);

// One line each: problems first, the worst of them first, with their remedies; then what is well.
std::string ToText(const Checks& checks, bool color);

// Whether any is an error.
bool HasError(const Checks& checks);

}  // namespace stoker::cli
