#include "services/store/diagnosis_file.h"

#include <nlohmann/json.hpp>

#include "services/common/base/status.h"
#include "services/common/config/environment.h"

namespace stoker::store {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxBytes = 256 << 10;
constexpr std::size_t kMaxChecks = 200;

absl::StatusOr<json> Check(const json& from) {
  if (!from.is_object()) return InvalidArgument("a check is no object");
  json check = json::object();
  for (const char* const field : {"id", "level", "title", "detail", "remedy"}) {
    const auto value = from.find(field);
    if (value == from.end()) {
      check[field] = "";
    } else if (value->is_string()) {
      check[field] = *value;
    } else {
      return InvalidArgument("a check's {} is no text", field);
    }
  }
  return check;
}

absl::StatusOr<json> Checks(const std::string& text) {
  const json file = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!file.is_object() || !file.contains("checks") || !file["checks"].is_array()) {
    return InvalidArgument("not JSON with a list of checks");
  }
  if (file["checks"].size() > kMaxChecks) return InvalidArgument("more than {} checks", kMaxChecks);
  json checks = json::array();
  for (const json& from : file["checks"]) {
    STOKER_ASSIGN_OR_RETURN(json check, Check(from));
    checks.push_back(std::move(check));
  }
  return checks;
}

}  // namespace

absl::StatusOr<std::string> ReadDiagnosisFile(const std::string& path) {
  const json none = {{"checks", json::array()}};
  if (path.empty()) return none.dump();
  const auto text = config::MachineEnvironment().ReadFile(path, kMaxBytes);
  if (absl::IsNotFound(text.status())) return none.dump();
  if (!text.ok()) return InvalidArgument("{}", Message(text.status()));
  STOKER_ASSIGN_OR_RETURN(json checks, Checks(*text));
  return json{{"checks", std::move(checks)}}.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace stoker::store
