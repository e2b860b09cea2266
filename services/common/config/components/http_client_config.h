#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "services/common/config/secret.h"

namespace stoker::config {

// The settings of an HTTP client, as pyroscope.scrape, pyroscope.write, discovery.* and remote.http
// share them. Files of secrets and certificates are read again when they change.

struct BasicAuth {
  std::string username;
  Secret password;
  std::string password_file;
  bool operator==(const BasicAuth&) const = default;
};

struct Authorization {
  std::string type = "Bearer";
  Secret credentials;
  std::string credentials_file;
  bool operator==(const Authorization&) const = default;
};

struct TlsConfig {
  std::string ca_pem;
  std::string ca_file;
  std::string cert_pem;
  std::string cert_file;
  Secret key_pem;
  std::string key_file;
  std::string server_name;
  bool insecure_skip_verify = false;
  // "TLS10" to "TLS13"; "" is TLS12.
  std::string min_version;
  bool operator==(const TlsConfig&) const = default;
};

struct ProxyConfig {
  std::string proxy_url;
  std::string no_proxy;
  bool proxy_from_environment = false;
  std::map<std::string, std::vector<Secret>> proxy_connect_header;
  bool operator==(const ProxyConfig&) const = default;
};

struct OAuth2 {
  std::string client_id;
  Secret client_secret;
  std::string client_secret_file;
  std::vector<std::string> scopes;
  std::string token_url;
  std::map<std::string, std::string> endpoint_params;
  ProxyConfig proxy;
  TlsConfig tls;
  bool operator==(const OAuth2&) const = default;
};

struct HttpClientConfig {
  std::optional<BasicAuth> basic_auth;
  std::optional<Authorization> authorization;
  std::optional<OAuth2> oauth2;
  Secret bearer_token;
  std::string bearer_token_file;
  ProxyConfig proxy;
  TlsConfig tls;
  bool follow_redirects = true;
  bool enable_http2 = true;
  std::map<std::string, std::vector<Secret>> http_headers;
  bool operator==(const HttpClientConfig&) const = default;
};

}  // namespace stoker::config
