#pragma once

#include <map>
#include <string>

#include <absl/time/time.h>

#include "services/common/config/components/http_client_config.h"

namespace stoker::config {

// Arguments of remote.http.
struct RemoteHttp {
  std::string url;
  std::string method = "GET";
  std::map<std::string, std::string> headers;
  std::string body;
  absl::Duration poll_frequency = absl::Minutes(1);
  absl::Duration poll_timeout = absl::Seconds(10);
  // The content is never printed.
  bool is_secret = false;
  HttpClientConfig client;
  bool operator==(const RemoteHttp&) const = default;
};

}  // namespace stoker::config
