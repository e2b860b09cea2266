#pragma once

#include <string>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "services/common/config/components/http_client_config.h"
#include "services/common/http/client.h"

namespace stoker::http {

// The OAuth 2.0 client credentials grant (RFC 6749, 4.4), as its request and its answer.

struct Token {
  std::string value;
  // Since the answer came; infinite when it does not say.
  absl::Duration lifetime = absl::InfiniteDuration();
};

// With `secret_in_body` the credentials are form parameters, else a Basic Authorization field.
ClientRequest TokenRequest(const config::OAuth2& oauth2, const std::string& secret,
                           bool secret_in_body, absl::Duration timeout);

// UNAVAILABLE for another status than 2xx and for an answer without a token. Nothing of the answer
// is quoted but OAuth's error code.
absl::StatusOr<Token> ParseToken(const Response& response);

}  // namespace stoker::http
