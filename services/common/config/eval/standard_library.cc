#include "services/common/config/eval/standard_library.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <string>
#include <utility>

#include "services/common/base/status.h"
#include "services/common/config/eval/array_functions.h"
#include "services/common/config/eval/encoding_functions.h"
#include "services/common/config/eval/function.h"
#include "services/common/config/eval/string_functions.h"

namespace stoker::config {
namespace {

using Result = absl::StatusOr<Value>;

#if defined(__aarch64__)
constexpr const char kArchitecture[] = "arm64";
#else
constexpr const char kArchitecture[] = "amd64";
#endif

Value Coalesce() {
  return DefineVariadic("coalesce", [](const Value::Array& arguments) -> Result {
    for (const Value& argument : arguments) {
      if (!argument.is_zero()) return argument;
    }
    return arguments.empty() ? Value() : arguments.back();
  });
}

Value Nonsensitive() {
  return Define<Secret>("nonsensitive",
                        [](Secret secret) -> Result { return Value(std::move(secret.value)); });
}

Value PathJoin() {
  return DefineVariadic("path_join", [](const Value::Array& arguments) -> Result {
    std::filesystem::path path;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      std::string part;
      if (const auto mismatch = ConvertTo(arguments[i], part)) return ArgumentError(i, *mismatch);
      if (part.empty()) continue;
      // Later parts never start anew, as Go's filepath.Join has it.
      path =
          path.empty() ? std::filesystem::path(part) : path / part.substr(part[0] == '/' ? 1 : 0);
    }
    std::string joined = path.lexically_normal().string();
    if (joined.size() > 1 && joined.ends_with('/')) joined.pop_back();
    return Value(std::move(joined));
  });
}

// What does not depend on the machine, by name.
Value::Object MakeLibrary() {
  const Value::Object strings = StringFunctions();
  const Value::Object encodings = EncodingFunctions();
  Value::Object arrays = ArrayFunctions();
  Value::Object library;
  // The flat names, older than the namespaces.
  for (const auto& [name, function] : strings) library[name] = function;
  library["concat"] = arrays.at("concat");
  library["json_decode"] = encodings.at("from_json");
  library["yaml_decode"] = encodings.at("from_yaml");
  library["base64_decode"] = encodings.at("from_base64");
  library["nonsensitive"] = Nonsensitive();
  library["string"] = Value(strings);
  library["encoding"] = Value(encodings);
  library["array"] = Value(std::move(arrays));
  library["convert"] = Value(Value::Object{{"nonsensitive", Nonsensitive()}});
  library["file"] = Value(Value::Object{{"path_join", PathJoin()}});
  library["coalesce"] = Coalesce();
  library["json_path"] = JsonPathFunction();
  return library;
}

Value Env(const Environment& environment) {
  return Define<std::string>("env", [&environment](const std::string& name) -> Result {
    return Value(environment.Variable(name));
  });
}

constexpr std::array<std::pair<std::string_view, std::string_view>, 14> kDeprecated = {{
    {"base64_decode", "encoding.from_base64"},
    {"format", "string.format"},
    {"join", "string.join"},
    {"json_decode", "encoding.from_json"},
    {"nonsensitive", "convert.nonsensitive"},
    {"replace", "string.replace"},
    {"split", "string.split"},
    {"to_lower", "string.to_lower"},
    {"to_upper", "string.to_upper"},
    {"trim", "string.trim"},
    {"trim_prefix", "string.trim_prefix"},
    {"trim_space", "string.trim_space"},
    {"trim_suffix", "string.trim_suffix"},
    {"yaml_decode", "encoding.from_yaml"},
}};

const Value::Object& Library() {
  static const Value::Object library = MakeLibrary();
  return library;
}

}  // namespace

std::optional<Value> FindStandard(std::string_view name, const Environment& environment) {
  if (name == "env") return Env(environment);
  if (name == "sys") return Value(Value::Object{{"env", Env(environment)}});
  if (name == "constants") {
    return Value(Value::Object{{"hostname", Value(environment.Hostname())},
                               {"os", Value("linux")},
                               {"arch", Value(kArchitecture)},
                               {"version", Value("v0.0.0")}});
  }
  const auto it = Library().find(name);
  return it == Library().end() ? std::nullopt : std::optional(it->second);
}

bool IsStandard(std::string_view name) {
  return DependsOnMachine(name) || Library().contains(name);
}

std::string_view ReplacementOf(std::string_view name) {
  const auto* it = std::find_if(kDeprecated.begin(), kDeprecated.end(),
                                [name](const auto& entry) { return entry.first == name; });
  return it == kDeprecated.end() ? std::string_view() : it->second;
}

bool DependsOnMachine(std::string_view name) {
  return name == "sys" || name == "env" || name == "constants";
}

}  // namespace stoker::config
