#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <absl/time/time.h>

#include "services/common/config/secret.h"

namespace stoker::config {

// Arguments of pyroscope.receive_http. Defaults are Alloy v1.18's.
struct PyroscopeReceiveHttp {
  struct Tls {
    std::string cert_pem;
    std::string cert_file;
    Secret key_pem;
    std::string key_file;
    std::string client_auth_type;
    std::string client_ca;
    std::string client_ca_file;
    std::string min_version;
    bool operator==(const Tls&) const = default;

    [[nodiscard]] bool enabled() const { return !cert_pem.empty() || !cert_file.empty(); }
  };

  struct Http {
    // "" listens on all addresses.
    std::string listen_address;
    int listen_port = 8080;
    // 0: without limit.
    int conn_limit = 16384;
    absl::Duration server_read_timeout = absl::Seconds(30);
    absl::Duration server_write_timeout = absl::Seconds(30);
    absl::Duration server_idle_timeout = absl::Seconds(120);
    Tls tls;
    bool operator==(const Http&) const = default;
  };

  // Listeners for OTLP, as rpc::ParseAddress reads them; "" is none.
  struct Otlp {
    std::string grpc_address;
    std::string http_address;
    bool operator==(const Otlp&) const = default;
  };

  std::vector<std::string> forward_to;
  absl::Duration graceful_shutdown_timeout = absl::Seconds(30);
  absl::Duration debug_info_upload_timeout = absl::Minutes(2);
  Http http;
  Otlp otlp;
  bool operator==(const PyroscopeReceiveHttp&) const = default;
};

}  // namespace stoker::config
