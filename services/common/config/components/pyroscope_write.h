#pragma once

#include <map>
#include <string>
#include <vector>

#include <absl/time/time.h>

#include "services/common/config/components/http_client_config.h"

namespace stoker::config {

// Arguments of pyroscope.write. Defaults are Alloy v1.18's.
struct PyroscopeWrite {
  enum class Protocol { kPyroscope, kOtlpGrpc, kOtlpHttp, kFile };
  // What becomes of an address without a name.
  enum class Unresolved { kAddress, kLine };

  struct Endpoint {
    std::string url;
    std::string name;
    // Per attempt.
    absl::Duration remote_timeout = absl::Seconds(10);
    absl::Duration debug_info_upload_timeout = absl::Minutes(2);
    std::map<std::string, std::string> headers;
    HttpClientConfig client;
    absl::Duration min_backoff_period = absl::Milliseconds(500);
    absl::Duration max_backoff_period = absl::Minutes(5);
    // Attempts in all; 0: without limit.
    int max_backoff_retries = 10;
    bool retry_on_http_429 = true;
    Protocol protocol = Protocol::kPyroscope;
    Unresolved unresolved = Unresolved::kAddress;
    bool operator==(const Endpoint&) const = default;
  };

  std::vector<Endpoint> endpoints;
  std::map<std::string, std::string> external_labels;
  bool operator==(const PyroscopeWrite&) const = default;
};

}  // namespace stoker::config
