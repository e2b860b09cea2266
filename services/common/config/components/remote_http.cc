#include "services/common/config/components/remote_http.h"

#include "services/common/base/status.h"
#include "services/common/config/components/schemas.h"

namespace stoker::config {

const Schema& RemoteHttpSchema() {
  using Config = RemoteHttp;
  static const Schema* const schema =
      SchemaBuilder<Config>()
          .Required("url", &Config::url, "URL to poll.")
          .Optional("method", &Config::method, "Define HTTP method for the request.")
          .Optional("headers", &Config::headers, "Custom headers for the request.")
          .Optional("body", &Config::body, "The request body.")
          .Optional("poll_frequency", &Config::poll_frequency, "Frequency to poll the URL.")
          .Optional("poll_timeout", &Config::poll_timeout, "Timeout when polling the URL.")
          .Optional("is_secret", &Config::is_secret,
                    "Whether the response body should be treated as a secret.")
          .Block("client", &Config::client, HttpClientConfigSchema(),
                 "HTTP client settings when connecting to the endpoint.")
          .Validate([](const Config& config) {
            if (config.poll_frequency <= absl::ZeroDuration()) {
              return InvalidArgument("poll_frequency must be greater than 0");
            }
            if (config.poll_timeout >= config.poll_frequency) {
              return InvalidArgument("poll_timeout must be less than poll_frequency");
            }
            return absl::OkStatus();
          })
          .Build();
  return *schema;
}

}  // namespace stoker::config
