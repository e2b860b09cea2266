#include "services/common/config/eval/encoding_functions.h"

#include <cctype>
#include <string>
#include <vector>

#include <absl/strings/escaping.h>
#include <nlohmann/json.hpp>
#include <yaml-cpp/yaml.h>

#include "services/common/base/status.h"
#include "services/common/config/eval/function.h"
#include "services/common/config/eval/number.h"

namespace stoker::config {
namespace {

using Text = std::string;
using Json = nlohmann::ordered_json;

// Bounds of documents, which may come from elsewhere: YAML's aliases multiply.
constexpr int kMaxDepth = 100;
constexpr std::size_t kMaxElements = 1'000'000;

absl::StatusOr<Value> FromJson(const Json& json, int depth) {
  if (depth > kMaxDepth) return InvalidArgument("nested deeper than {} levels", kMaxDepth);
  if (json.is_boolean()) return Value(json.get<bool>());
  if (json.is_number_unsigned()) {
    const auto number = json.get<std::uint64_t>();
    if (number <= std::uint64_t{INT64_MAX}) return Value(static_cast<std::int64_t>(number));
    return Value(number);
  }
  if (json.is_number_integer()) return Value(json.get<std::int64_t>());
  if (json.is_number_float()) return Value(json.get<double>());
  if (json.is_string()) return Value(json.get<Text>());
  if (json.is_array()) {
    Value::Array array;
    for (const Json& element : json) {
      STOKER_ASSIGN_OR_RETURN(Value value, FromJson(element, depth + 1));
      array.push_back(std::move(value));
    }
    return Value(std::move(array));
  }
  if (!json.is_object()) return Value();
  Value::Object object;
  for (const auto& [name, field] : json.items()) {
    STOKER_ASSIGN_OR_RETURN(object[name], FromJson(field, depth + 1));
  }
  return Value(std::move(object));
}

absl::StatusOr<Json> ParseJson(const Text& text) {
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return InvalidArgument("invalid JSON");
  return json;
}

absl::StatusOr<Json> ToJson(const Value& value, int depth) {
  if (depth > kMaxDepth) return InvalidArgument("nested deeper than {} levels", kMaxDepth);
  if (value.is_null()) return Json();
  if (const auto* b = value.As<bool>()) return Json(*b);
  if (const auto* i = value.As<std::int64_t>()) return Json(*i);
  if (const auto* u = value.As<std::uint64_t>()) return Json(*u);
  if (const auto* d = value.As<double>()) return Json(*d);
  if (const auto* s = value.As<Text>()) return Json(*s);
  if (value.array() != nullptr) {
    Json json = Json::array();
    for (const Value& element : *value.array()) {
      STOKER_ASSIGN_OR_RETURN(Json converted, ToJson(element, depth + 1));
      json.push_back(std::move(converted));
    }
    return json;
  }
  const bool is_target = value.target() != nullptr;
  if (!is_target && value.object() == nullptr) {
    return InvalidArgument("cannot encode a {}", TypeName(value.type()));
  }
  Json json = Json::object();
  for (const auto& [name, field] : is_target ? ToObject(**value.target()) : *value.object()) {
    STOKER_ASSIGN_OR_RETURN(json[name], ToJson(field, depth + 1));
  }
  return json;
}

// A plain scalar by YAML's core schema; quoted ones are text.
Value FromYamlScalar(const YAML::Node& node) {
  const Text& text = node.Scalar();
  if (node.Tag() == "!") return Value(text);
  if (text == "true" || text == "True" || text == "TRUE") return Value(true);
  if (text == "false" || text == "False" || text == "FALSE") return Value(false);
  const bool like_number = !text.empty() && text.find_first_not_of("0123456789+-.eE") == Text::npos;
  if (const auto number = like_number ? ParseNumberText(text) : std::nullopt) {
    std::int64_t integer = 0;
    if (number->As<double>() == nullptr && !ConvertTo(*number, integer)) return Value(integer);
    return *number;
  }
  return Value(text);
}

absl::StatusOr<Value> FromYaml(const YAML::Node& node, int depth, std::size_t& elements) {
  if (depth > kMaxDepth || ++elements > kMaxElements) {
    return InvalidArgument("more than {} levels or {} elements", kMaxDepth, kMaxElements);
  }
  if (node.IsScalar()) return FromYamlScalar(node);
  if (node.IsSequence()) {
    Value::Array array;
    for (const YAML::Node& element : node) {
      STOKER_ASSIGN_OR_RETURN(Value value, FromYaml(element, depth + 1, elements));
      array.push_back(std::move(value));
    }
    return Value(std::move(array));
  }
  if (!node.IsMap()) return Value();
  Value::Object object;
  for (const auto& field : node) {
    if (!field.first.IsScalar()) return InvalidArgument("a key is no scalar");
    STOKER_ASSIGN_OR_RETURN(object[field.first.Scalar()],
                            FromYaml(field.second, depth + 1, elements));
  }
  return Value(std::move(object));
}

absl::StatusOr<Value> ParseYaml(const Text& text) {
  try {
    std::size_t elements = 0;
    return FromYaml(YAML::Load(text), 0, elements);
  } catch (const YAML::Exception& error) {
    return InvalidArgument("invalid YAML: {}", error.what());
  }
}

bool IsUnreserved(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.' ||
         c == '~';
}

// As Go's url.QueryEscape.
Text UrlEncode(const Text& text) {
  Text encoded;
  for (const char c : text) {
    if (IsUnreserved(c)) {
      encoded += c;
    } else {
      encoded += c == ' ' ? "+" : fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return encoded;
}

absl::StatusOr<Value> UrlDecode(const Text& text) {
  Text decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i] == '+' ? ' ' : text[i];
      continue;
    }
    const Text digits = text.substr(i + 1, 2);
    const bool hex = digits.size() == 2 && std::isxdigit(static_cast<unsigned char>(digits[0])) &&
                     std::isxdigit(static_cast<unsigned char>(digits[1]));
    if (!hex) return InvalidArgument("invalid URL escape \"%{}\"", digits);
    decoded += static_cast<char>(std::stoi(digits, nullptr, 16));
    i += 2;
  }
  return Value(std::move(decoded));
}

Text Unpadded(Text text, bool url) {
  text.erase(text.find_last_not_of('=') + 1);
  for (char& c : text) {
    if (url && c == '+') c = '-';
    if (url && c == '/') c = '_';
  }
  return text;
}

Text EncodeBase64(const Text& text, bool url) {
  Text encoded = absl::Base64Escape(text);
  const std::size_t padded = encoded.size();
  encoded = Unpadded(std::move(encoded), url);
  encoded.resize(padded, '=');
  return encoded;
}

absl::StatusOr<Value> DecodeBase64(const Text& text, bool url) {
  Text decoded;
  const bool ok =
      url ? absl::WebSafeBase64Unescape(text, &decoded) : absl::Base64Unescape(text, &decoded);
  if (!ok) return InvalidArgument("illegal base64 data");
  return Value(std::move(decoded));
}

// Walks a JSONPath over a document.
class JsonPath {
 public:
  static absl::StatusOr<Value::Array> Match(const Json& root, std::string_view path) {
    JsonPath walk(root);
    if (path.starts_with('$')) path.remove_prefix(1);
    while (!path.empty()) STOKER_RETURN_IF_ERROR(walk.Step(path));
    Value::Array found;
    for (const Json* json : walk.matches_) {
      STOKER_ASSIGN_OR_RETURN(Value value, FromJson(*json, 0));
      found.push_back(std::move(value));
    }
    return found;
  }

 private:
  explicit JsonPath(const Json& root) : matches_{&root} {}

  absl::Status Step(std::string_view& path) {
    if (path.starts_with("..")) {
      path.remove_prefix(1);
      std::vector<const Json*> all;
      for (const Json* json : matches_) AddAll(*json, 0, all);
      matches_ = std::move(all);
      return absl::OkStatus();
    }
    if (path[0] == '[') {
      const std::size_t end = path.find(']');
      if (end == std::string_view::npos) return InvalidArgument("path lacks ]");
      STOKER_RETURN_IF_ERROR(Bracket(path.substr(1, end - 1)));
      path.remove_prefix(end + 1);
      return absl::OkStatus();
    }
    if (path[0] == '.') path.remove_prefix(1);
    const std::size_t end = std::min(path.find_first_of(".["), path.size());
    if (end == 0) return InvalidArgument("path lacks a name");
    Descend(path.substr(0, end));
    path.remove_prefix(end);
    return absl::OkStatus();
  }

  absl::Status Bracket(std::string_view inside) {
    const bool quoted = inside.size() >= 2 && (inside[0] == '\'' || inside[0] == '"');
    if (quoted) {
      Descend(inside.substr(1, inside.size() - 2));
    } else if (inside == "*") {
      Descend(inside);
    } else {
      std::int64_t index = 0;
      if (ConvertTo(Value(inside), index)) {
        return InvalidArgument("path has an unsupported selector [{}]", inside);
      }
      PickIndex(index);
    }
    return absl::OkStatus();
  }

  void Descend(std::string_view name) {
    std::vector<const Json*> found;
    for (const Json* json : matches_) {
      if (name == "*" && json->is_structured()) {
        for (const Json& element : *json) found.push_back(&element);
      } else if (json->is_object() && json->contains(std::string(name))) {
        found.push_back(&(*json)[std::string(name)]);
      }
    }
    matches_ = std::move(found);
  }

  void PickIndex(std::int64_t index) {
    std::vector<const Json*> found;
    for (const Json* json : matches_) {
      if (!json->is_array()) continue;
      const auto size = static_cast<std::int64_t>(json->size());
      const std::int64_t at = index < 0 ? index + size : index;
      if (at >= 0 && at < size) found.push_back(&(*json)[static_cast<std::size_t>(at)]);
    }
    matches_ = std::move(found);
  }

  static void AddAll(const Json& json, int depth, std::vector<const Json*>& all) {
    if (depth > kMaxDepth) return;
    all.push_back(&json);
    if (!json.is_structured()) return;
    for (const Json& element : json) AddAll(element, depth + 1, all);
  }

  std::vector<const Json*> matches_;
};

}  // namespace

Value::Object EncodingFunctions() {
  using Result = absl::StatusOr<Value>;
  Value::Object functions;
  functions["from_json"] = Define<Text>("from_json", [](const Text& text) -> Result {
    STOKER_ASSIGN_OR_RETURN(const Json json, ParseJson(text));
    return FromJson(json, 0);
  });
  functions["from_yaml"] = Define<Text>("from_yaml", ParseYaml);
  functions["from_base64"] = Define<Text>(
      "from_base64", [](const Text& text) -> Result { return DecodeBase64(text, false); });
  functions["from_URLbase64"] = Define<Text>(
      "from_URLbase64", [](const Text& text) -> Result { return DecodeBase64(text, true); });
  functions["to_json"] = Define<Value>("to_json", [](const Value& value) -> Result {
    if (value.object() == nullptr && value.target() == nullptr) {
      return InvalidArgument("argument 1 should be object, got {}", TypeName(value.type()));
    }
    STOKER_ASSIGN_OR_RETURN(const Json json, ToJson(value, 0));
    return Value(json.dump(-1, ' ', false, Json::error_handler_t::replace));
  });
  functions["to_base64"] = Define<Text>(
      "to_base64", [](const Text& text) -> Result { return Value(EncodeBase64(text, false)); });
  functions["to_URLbase64"] = Define<Text>(
      "to_URLbase64", [](const Text& text) -> Result { return Value(EncodeBase64(text, true)); });
  functions["url_encode"] =
      Define<Text>("url_encode", [](const Text& text) -> Result { return Value(UrlEncode(text)); });
  functions["url_decode"] = Define<Text>("url_decode", UrlDecode);
  return functions;
}

Value JsonPathFunction() {
  return Define<Text, Text>(
      "json_path", [](const Text& text, const Text& path) -> absl::StatusOr<Value> {
        STOKER_ASSIGN_OR_RETURN(const Json json, ParseJson(text));
        STOKER_ASSIGN_OR_RETURN(Value::Array found, JsonPath::Match(json, path));
        return Value(std::move(found));
      });
}

}  // namespace stoker::config
