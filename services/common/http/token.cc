#include "services/common/http/token.h"

#include <cctype>

#include <absl/strings/escaping.h>
#include <absl/strings/str_join.h>
#include <nlohmann/json.hpp>

#include "services/common/base/status.h"
#include "services/common/http/fields.h"

namespace stoker::http {
namespace {

std::string FormEncode(const std::string& text) {
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80 && (std::isalnum(byte) != 0 || c == '-' || c == '_' || c == '.' || c == '~')) {
      encoded += c;
    } else {
      encoded += fmt::format("%{:02X}", byte);
    }
  }
  return encoded;
}

}  // namespace

ClientRequest TokenRequest(const config::OAuth2& oauth2, const std::string& secret,
                           bool secret_in_body, absl::Duration timeout) {
  std::map<std::string, std::string> form = oauth2.endpoint_params;
  form["grant_type"] = "client_credentials";
  if (!oauth2.scopes.empty()) form["scope"] = absl::StrJoin(oauth2.scopes, " ");
  ClientRequest request{.method = "POST",
                        .url = oauth2.token_url,
                        .headers = {{"Content-Type", "application/x-www-form-urlencoded"}},
                        .timeout = timeout};
  if (secret_in_body) {
    form["client_id"] = oauth2.client_id;
    form["client_secret"] = secret;
  } else {
    const std::string pair = FormEncode(oauth2.client_id) + ":" + FormEncode(secret);
    request.headers.Add("Authorization", "Basic " + absl::Base64Escape(pair));
  }
  for (const auto& [name, value] : form) {
    request.body += (request.body.empty() ? "" : "&") + FormEncode(name) + "=" + FormEncode(value);
  }
  return request;
}

absl::StatusOr<Token> ParseToken(const Response& response) {
  const auto json = nlohmann::json::parse(response.body, nullptr, false);
  const auto text = [&](const char* key) {
    const auto it = json.is_object() ? json.find(key) : json.end();
    return it != json.end() && it->is_string() ? it->get<std::string>() : std::string();
  };
  if (response.status / 100 != 2) {
    return Unavailable("no token: HTTP status {} {}", response.status, FieldValue(text("error")));
  }
  Token token{.value = text("access_token")};
  if (token.value.empty()) return Unavailable("no token: the answer has no access_token");
  if (const auto it = json.find("expires_in"); it != json.end() && it->is_number()) {
    token.lifetime = absl::Seconds(it->get<double>());
  }
  return token;
}

}  // namespace stoker::http
