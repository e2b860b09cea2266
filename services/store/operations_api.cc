#include "services/store/operations_api.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "proto/capabilities/v1/capabilities.pb.h"
#include "proto/settings/v1/settings.pb.h"
#include "proto/version/v1/version.pb.h"
#include "services/common/base/status.h"
#include "services/common/http/connect.h"
#include "services/common/runtime/version.h"

namespace stoker::store {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxRequestBytes = 1 << 20;
constexpr char kHidden[] = "********";

// Adds a Connect call that `call` answers.
template <typename Req, typename Res, typename Call>
void AddCall(const std::string& path, Call call, const AddRoute& add) {
  add("*", path,
      http::Unary<Req, Res>([call = std::move(call)](const Req& request, const http::Context&)
                                -> absl::StatusOr<Res> { return call(request); },
                            {.max_message_bytes = kMaxRequestBytes}));
}

http::Response BuildInfo(const http::Request&) {
  const json data = {{"version", runtime::kVersion}, {"revision", ""},  {"branch", ""},
                     {"buildUser", "stoker"},        {"buildDate", ""}, {"goVersion", ""}};
  return http::Json(200, json{{"status", "success"}, {"data", data}}.dump());
}

bool IsSecret(std::string name) {
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
  return std::ranges::any_of(
      std::initializer_list<const char*>{"password", "secret", "token", "credential", "api-key"},
      [&](const char* word) { return name.find(word) != name.npos; });
}

// The text without what stands between "://" and "@" in it.
std::string WithoutUserInfo(const std::string& text) {
  const std::size_t scheme = text.find("://");
  if (scheme == std::string::npos) return text;
  const std::size_t start = scheme + 3;
  const std::size_t at = text.substr(start, text.find('/', start) - start).rfind('@');
  if (at == std::string::npos) return text;
  return text.substr(0, start) + kHidden + text.substr(start + at);
}

// One member, which holds everything, as the ring of a Pyroscope in one process shows itself.
json RingJson(const ProcessFacts& facts, absl::Time started, absl::Time now) {
  const auto text = [](absl::Time time) {
    return std::string(absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone()));
  };
  const json member = {{"id", facts.node_name},
                       {"state", "ACTIVE"},
                       {"address", facts.http_listen},
                       {"timestamp", text(now)},
                       {"registered_timestamp", text(started)},
                       {"read_only", false},
                       {"zone", ""},
                       {"tokens", {0}}};
  return {{"shards", json::array({member})}, {"now", text(now)}};
}

std::string Escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '<') {
      escaped += "&lt;";
    } else if (c == '&') {
      escaped += "&amp;";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

void AddRing(const ProcessFacts& facts, const Clock& clock, const AddRoute& add) {
  const http::Handler ring = [facts, &clock, started = clock.Now()](const http::Request& request) {
    const std::string body =
        RingJson(facts, started, clock.Now()).dump(-1, ' ', false, json::error_handler_t::replace);
    const std::string_view accept = request.headers.Get("accept").value_or("");
    if (accept.find("application/json") != std::string_view::npos) return http::Json(200, body);
    http::Response response =
        http::Text(200, fmt::format("<!DOCTYPE html><title>Ring Status</title><h1>Ring Status</h1>"
                                    "<table><tr><th>Instance ID<th>State<th>Address"
                                    "<tr><td>{}<td>ACTIVE<td>{}</table>\n",
                                    Escaped(facts.node_name), Escaped(facts.http_listen)));
    response.headers.Set("Content-Type", "text/html; charset=utf-8");
    return response;
  };
  for (const char* const path :
       {"/ring", "/ingester/ring", "/distributor/ring", "/store-gateway/ring"}) {
    add("GET", path, ring);
  }
}

void AddFeatureFlags(const AddRoute& add) {
  capabilities::v1::GetFeatureFlagsResponse flags;
  const std::pair<const char*, bool> known[] = {{"pyroscopeRuler", false},
                                                {"pyroscopeRulerFunctions", false},
                                                {"utf8LabelNames", true},
                                                {"v2StorageLayer", true}};
  for (const auto& [name, enabled] : known) {
    capabilities::v1::FeatureFlag* const flag = flags.add_feature_flags();
    flag->set_name(name);
    flag->set_enabled(enabled);
  }
  AddCall<capabilities::v1::GetFeatureFlagsRequest, capabilities::v1::GetFeatureFlagsResponse>(
      "/capabilities.v1.FeatureFlagsService/GetFeatureFlags",
      [flags](const capabilities::v1::GetFeatureFlagsRequest&) { return flags; }, add);
}

void AddSettings(Settings& settings, const AddRoute& add) {
  const std::string service = "/settings.v1.SettingsService/";
  AddCall<settings::v1::GetSettingsRequest, settings::v1::GetSettingsResponse>(
      service + "Get", [&](const auto& request) { return settings.Get(request); }, add);
  AddCall<settings::v1::SetSettingsRequest, settings::v1::SetSettingsResponse>(
      service + "Set", [&](const auto& request) { return settings.Set(request); }, add);
  AddCall<settings::v1::DeleteSettingsRequest, settings::v1::DeleteSettingsResponse>(
      service + "Delete", [&](const auto& request) { return settings.Delete(request); }, add);
}

// Parts of Pyroscope's interface that Grafana's apps try and can do without.
void AddNotOffered(const AddRoute& add) {
  for (const char* const path :
       {"/vcs.v1.VCSService/GithubApp", "/vcs.v1.VCSService/GithubLogin",
        "/vcs.v1.VCSService/GithubRefresh", "/vcs.v1.VCSService/GetFile",
        "/vcs.v1.VCSService/GetCommit", "/vcs.v1.VCSService/GetCommits",
        "/adhocprofiles.v1.AdHocProfileService/Upload", "/adhocprofiles.v1.AdHocProfileService/Get",
        "/adhocprofiles.v1.AdHocProfileService/List", "/adhocprofiles.v1.AdHocProfileService/Diff",
        "/settings.v1.RecordingRulesService/GetRecordingRule",
        "/settings.v1.RecordingRulesService/ListRecordingRules",
        "/settings.v1.RecordingRulesService/UpsertRecordingRule",
        "/settings.v1.RecordingRulesService/DeleteRecordingRule"}) {
    // Any message reads as one without fields.
    AddCall<version::v1::VersionRequest, version::v1::VersionResponse>(
        path,
        [path](const version::v1::VersionRequest&) -> absl::StatusOr<version::v1::VersionResponse> {
          return Error(absl::StatusCode::kUnimplemented, "{} is not offered by this store",
                       path + 1);
        },
        add);
  }
}

}  // namespace

std::string ConfigYaml(const std::map<std::string, std::string>& flags) {
  std::string yaml;
  for (const auto& [name, value] : flags) {
    const std::string shown = IsSecret(name) && !value.empty() ? kHidden : WithoutUserInfo(value);
    // A string in JSON is one in YAML.
    yaml += name + ": " + json(shown).dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
  }
  return yaml;
}

void AddOperationsApi(const ProcessFacts& facts, Settings& settings, const Clock& clock,
                      const AddRoute& add) {
  add("GET", "/api/v1/status/buildinfo", BuildInfo);
  for (const char* const path : {"/config", "/api/v1/status/config"}) {
    add("GET", path,
        [yaml = ConfigYaml(facts.flags)](const http::Request&) { return http::Text(200, yaml); });
  }
  AddRing(facts, clock, add);
  AddCall<version::v1::VersionRequest, version::v1::VersionResponse>(
      "/version.v1.Version/Version",
      [](const version::v1::VersionRequest&) {
        version::v1::VersionResponse response;
        response.set_querierapi(1);
        return response;
      },
      add);
  AddFeatureFlags(add);
  AddSettings(settings, add);
  AddNotOffered(add);
}

}  // namespace stoker::store
