#include "services/common/config/components/discovery_polled.h"

#include <filesystem>

#include <absl/strings/ascii.h>

#include "services/common/base/status.h"
#include "services/common/config/components/schemas.h"

namespace stoker::config {
namespace {

template <typename Config>
absl::Status ValidateRefresh(const Config& config) {
  if (config.refresh_interval > absl::ZeroDuration()) return absl::OkStatus();
  return InvalidArgument("refresh_interval must be greater than 0");
}

// One that asks `url`.
template <typename Config>
absl::Status ValidateAsker(const Config& config) {
  STOKER_RETURN_IF_ERROR(ValidateRefresh(config));
  if (config.url.starts_with("http://") || config.url.starts_with("https://")) {
    return absl::OkStatus();
  }
  return InvalidArgument("'url' must begin with http:// or https://");
}

absl::Status ValidateFile(const DiscoveryFile& config) {
  STOKER_RETURN_IF_ERROR(ValidateRefresh(config));
  for (const std::string& path : config.files) {
    const std::string extension =
        absl::AsciiStrToLower(std::filesystem::path(path).extension().string());
    if (extension != ".json" && extension != ".yml" && extension != ".yaml") {
      return InvalidArgument(
          "path name \"{}\" is not valid for file discovery: it must end with .json, .yml or .yaml",
          path);
    }
  }
  return absl::OkStatus();
}

absl::Status ValidateDns(const DiscoveryDns& config) {
  STOKER_RETURN_IF_ERROR(ValidateRefresh(config));
  if (config.type != DiscoveryDns::Type::kSrv && config.port == 0) {
    return InvalidArgument("a port is required in DNS-SD configs for all record types except SRV");
  }
  return absl::OkStatus();
}

}  // namespace

const Schema& DiscoveryHttpSchema() {
  using Config = DiscoveryHttp;
  static const Schema* const schema =
      SchemaBuilder<Config>()
          .Required("url", &Config::url, "URL to scrape for targets.")
          .Optional("refresh_interval", &Config::refresh_interval, "How often to refresh targets.")
          .Squash(&Config::client, HttpClientConfigSchema())
          .Validate(ValidateAsker<Config>)
          .Build();
  return *schema;
}

const Schema& DiscoveryFileSchema() {
  using Config = DiscoveryFile;
  static const Schema* const schema =
      SchemaBuilder<Config>()
          .Required("files", &Config::files, "Files to read and discover targets from.")
          .Optional("refresh_interval", &Config::refresh_interval, "How often to sync targets.")
          .Validate(ValidateFile)
          .Build();
  return *schema;
}

const Schema& DiscoveryDnsSchema() {
  using Config = DiscoveryDns;
  using Type = Config::Type;
  static const Schema* const schema =
      SchemaBuilder<Config>()
          .Required("names", &Config::names, "DNS names to look up.")
          .Choice("type", &Config::type,
                  {{"SRV", Type::kSrv},
                   {"A", Type::kA},
                   {"AAAA", Type::kAaaa},
                   {"MX", Type::kMx},
                   {"NS", Type::kNs}},
                  "Type of DNS record to query: SRV, A, AAAA, MX or NS.")
          .Optional("port", &Config::port,
                    "Port to use for collecting profiles. Not used for SRV records.")
          .Optional("refresh_interval", &Config::refresh_interval,
                    "How often to query DNS for updates.")
          .Validate(ValidateDns)
          .Build();
  return *schema;
}

const Schema& DiscoveryKubeletSchema() {
  using Config = DiscoveryKubelet;
  static const Schema* const schema =
      SchemaBuilder<Config>()
          .Optional("url", &Config::url, "URL of the Kubelet server.")
          .Optional("refresh_interval", &Config::refresh_interval,
                    "How often the Kubelet should be polled for scrape targets.")
          .Optional("namespaces", &Config::namespaces,
                    "A list of namespaces to extract target pods from; all when empty.")
          .Squash(&Config::client, HttpClientConfigSchema())
          .Validate(ValidateAsker<Config>)
          .Build();
  return *schema;
}

}  // namespace stoker::config
