#include "services/common/config/components/http_client_config.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

#include "services/common/base/status.h"
#include "services/common/config/components/schemas.h"

namespace stoker::config {
namespace {

template <typename A, typename B>
absl::Status AtMostOne(const A& value, const B& file, std::string_view message) {
  if (value.empty() || file.empty()) return absl::OkStatus();
  return InvalidArgument("{}", message);
}

absl::Status ValidateTls(const TlsConfig& tls) {
  STOKER_RETURN_IF_ERROR(
      AtMostOne(tls.ca_pem, tls.ca_file, "at most one of ca_pem and ca_file must be configured"));
  STOKER_RETURN_IF_ERROR(AtMostOne(tls.cert_pem, tls.cert_file,
                                   "at most one of cert_pem and cert_file must be configured"));
  STOKER_RETURN_IF_ERROR(AtMostOne(tls.key_pem, tls.key_file,
                                   "at most one of key_pem and key_file must be configured"));
  const bool has_certificate = !tls.cert_pem.empty() || !tls.cert_file.empty();
  const bool has_key = !tls.key_pem.empty() || !tls.key_file.empty();
  if (has_certificate && !has_key) {
    return InvalidArgument(
        "exactly one of key_pem or key_file must be configured when a client certificate is "
        "configured");
  }
  if (has_key && !has_certificate) {
    return InvalidArgument(
        "exactly one of cert_pem or cert_file must be configured when a client key is configured");
  }
  static constexpr std::array<std::string_view, 5> kVersions = {"", "TLS10", "TLS11", "TLS12",
                                                                "TLS13"};
  if (std::find(kVersions.begin(), kVersions.end(), tls.min_version) == kVersions.end()) {
    return InvalidArgument("unknown TLS version: {}", tls.min_version);
  }
  return absl::OkStatus();
}

absl::Status ValidateProxy(const ProxyConfig& proxy) {
  if (!proxy.proxy_connect_header.empty() && !proxy.proxy_from_environment &&
      proxy.proxy_url.empty()) {
    return InvalidArgument(
        "if proxy_connect_header is configured, proxy_url or proxy_from_environment must also be "
        "configured");
  }
  if (proxy.proxy_from_environment && !proxy.proxy_url.empty()) {
    return InvalidArgument(
        "if proxy_from_environment is configured, proxy_url must not be configured");
  }
  if (proxy.proxy_from_environment && !proxy.no_proxy.empty()) {
    return InvalidArgument(
        "if proxy_from_environment is configured, no_proxy must not be configured");
  }
  if (proxy.proxy_url.empty() && !proxy.no_proxy.empty()) {
    return InvalidArgument("if no_proxy is configured, proxy_url must also be configured");
  }
  return absl::OkStatus();
}

const Schema& ProxyConfigSchema() {
  static const Schema* const schema =
      SchemaBuilder<ProxyConfig>()
          .Optional("proxy_url", &ProxyConfig::proxy_url, "HTTP proxy to send requests through.")
          .Optional("no_proxy", &ProxyConfig::no_proxy,
                    "Comma-separated list of IP addresses, CIDR notations and domain names to "
                    "exclude from proxying.")
          .Optional("proxy_from_environment", &ProxyConfig::proxy_from_environment,
                    "Use the proxy URL indicated by environment variables.")
          .Optional("proxy_connect_header", &ProxyConfig::proxy_connect_header,
                    "Headers to send to proxies during CONNECT requests.")
          .Validate(ValidateProxy)
          .Build();
  return *schema;
}

const Schema& BasicAuthSchema() {
  static const Schema* const schema =
      SchemaBuilder<BasicAuth>()
          .Optional("username", &BasicAuth::username, "Basic auth username.")
          .Optional("password", &BasicAuth::password, "Basic auth password.")
          .Optional("password_file", &BasicAuth::password_file,
                    "File containing the basic auth password.")
          .Validate([](const BasicAuth& auth) {
            return AtMostOne(
                auth.password, auth.password_file,
                "at most one of basic_auth password & password_file must be configured");
          })
          .Build();
  return *schema;
}

absl::Status ValidateAuthorization(const Authorization& authorization) {
  std::string type = authorization.type;
  std::transform(type.begin(), type.end(), type.begin(),
                 [](char c) { return static_cast<char>(std::tolower(c)); });
  if (type == "basic") {
    return InvalidArgument(
        "authorization type cannot be set to \"basic\", use \"basic_auth\" block instead");
  }
  return AtMostOne(authorization.credentials, authorization.credentials_file,
                   "at most one of authorization credentials & credentials_file must be "
                   "configured");
}

const Schema& AuthorizationSchema() {
  static const Schema* const schema =
      SchemaBuilder<Authorization>()
          .Optional("type", &Authorization::type, "Authorization type, for example, \"Bearer\".")
          .Optional("credentials", &Authorization::credentials, "Secret value.")
          .Optional("credentials_file", &Authorization::credentials_file,
                    "File containing the secret value.")
          .Validate(ValidateAuthorization)
          .Build();
  return *schema;
}

absl::Status ValidateOAuth2(const OAuth2& oauth2) {
  if (oauth2.client_id.empty()) return InvalidArgument("oauth2 client_id must be configured");
  if (oauth2.client_secret.empty() && oauth2.client_secret_file.empty()) {
    return InvalidArgument("either oauth2 client_secret or client_secret_file must be configured");
  }
  if (oauth2.token_url.empty()) return InvalidArgument("oauth2 token_url must be configured");
  return AtMostOne(oauth2.client_secret, oauth2.client_secret_file,
                   "at most one of oauth2 client_secret & client_secret_file must be configured");
}

const Schema& OAuth2Schema() {
  static const Schema* const schema =
      SchemaBuilder<OAuth2>()
          .Optional("client_id", &OAuth2::client_id, "OAuth2 client ID.")
          .Optional("client_secret", &OAuth2::client_secret, "OAuth2 client secret.")
          .Optional("client_secret_file", &OAuth2::client_secret_file,
                    "File containing the OAuth2 client secret.")
          .Optional("scopes", &OAuth2::scopes, "List of scopes to authenticate with.")
          .Optional("token_url", &OAuth2::token_url, "URL to fetch the token from.")
          .Optional("endpoint_params", &OAuth2::endpoint_params,
                    "Optional parameters to append to the token URL.")
          .Squash(&OAuth2::proxy, ProxyConfigSchema())
          .Block("tls_config", &OAuth2::tls, TlsConfigSchema(),
                 "TLS settings for connecting to the token URL.")
          .Validate(ValidateOAuth2)
          .Build();
  return *schema;
}

// Header names compare without case. Source: prometheus/common's reserved headers.
constexpr std::array<std::string_view, 18> kReservedHeaders = {
    "authorization",
    "host",
    "content-encoding",
    "content-length",
    "content-type",
    "user-agent",
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "www-authenticate",
    "accept-encoding",
    "x-prometheus-remote-write-version",
    "x-prometheus-remote-read-version",
    "x-prometheus-scrape-timeout-seconds",
    "x-amz-date",
    "x-amz-security-token",
    "x-amz-content-sha256",
};

absl::Status ValidateHeaders(const HttpClientConfig& config) {
  for (const auto& [name, values] : config.http_headers) {
    std::string lower = name;
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](char c) { return static_cast<char>(std::tolower(c)); });
    if (std::find(kReservedHeaders.begin(), kReservedHeaders.end(), lower) !=
        kReservedHeaders.end()) {
      return InvalidArgument("setting header \"{}\" is not allowed", name);
    }
  }
  return absl::OkStatus();
}

absl::Status ValidateClient(const HttpClientConfig& config) {
  const int ways = (config.basic_auth ? 1 : 0) + (config.authorization ? 1 : 0) +
                   (config.oauth2 ? 1 : 0) + (config.bearer_token.empty() ? 0 : 1) +
                   (config.bearer_token_file.empty() ? 0 : 1);
  if (ways > 1) {
    return InvalidArgument(
        "at most one of basic_auth, authorization, oauth2, bearer_token & bearer_token_file must "
        "be configured");
  }
  return ValidateHeaders(config);
}

}  // namespace

const Schema& TlsConfigSchema() {
  static const Schema* const schema =
      SchemaBuilder<TlsConfig>()
          .Optional("ca_pem", &TlsConfig::ca_pem,
                    "CA PEM-encoded text to validate the server with.")
          .Optional("ca_file", &TlsConfig::ca_file, "CA certificate to validate the server with.")
          .Optional("cert_pem", &TlsConfig::cert_pem,
                    "Certificate PEM-encoded text for client authentication.")
          .Optional("cert_file", &TlsConfig::cert_file,
                    "Certificate file for client authentication.")
          .Optional("key_pem", &TlsConfig::key_pem,
                    "Key PEM-encoded text for client authentication.")
          .Optional("key_file", &TlsConfig::key_file, "Key file for client authentication.")
          .Optional("server_name", &TlsConfig::server_name,
                    "ServerName extension to indicate the name of the server.")
          .Optional("insecure_skip_verify", &TlsConfig::insecure_skip_verify,
                    "Disables validation of the server certificate.")
          .Optional("min_version", &TlsConfig::min_version, "Minimum acceptable TLS version.")
          .Validate(ValidateTls)
          .Build();
  return *schema;
}

const Schema& HttpClientConfigSchema() {
  using Config = HttpClientConfig;
  static const Schema* const schema =
      SchemaBuilder<Config>()
          .Optional("bearer_token", &Config::bearer_token, "Bearer token to authenticate with.")
          .Optional("bearer_token_file", &Config::bearer_token_file,
                    "File containing a bearer token to authenticate with.")
          .Squash(&Config::proxy, ProxyConfigSchema())
          .Optional("follow_redirects", &Config::follow_redirects,
                    "Whether redirects returned by the server should be followed.")
          .Optional("enable_http2", &Config::enable_http2,
                    "Whether HTTP2 is supported for requests.")
          .Optional("http_headers", &Config::http_headers, "Headers to send with each request.")
          .Block("basic_auth", &Config::basic_auth, BasicAuthSchema(),
                 "Configure basic_auth for authenticating.")
          .Block("authorization", &Config::authorization, AuthorizationSchema(),
                 "Configure generic authorization.")
          .Block("oauth2", &Config::oauth2, OAuth2Schema(), "Configure OAuth2 for authenticating.")
          .Block("tls_config", &Config::tls, TlsConfigSchema(), "Configure TLS settings.")
          .Validate(ValidateClient)
          .Build();
  return *schema;
}

}  // namespace stoker::config
