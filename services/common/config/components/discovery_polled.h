#pragma once

#include <string>
#include <vector>

#include <absl/time/time.h>

#include "services/common/config/components/http_client_config.h"

namespace stoker::config {

// Arguments of the discovery components that ask one place for targets, again and again.

// discovery.http
struct DiscoveryHttp {
  std::string url;
  absl::Duration refresh_interval = absl::Seconds(60);
  HttpClientConfig client;
  bool operator==(const DiscoveryHttp&) const = default;
};

// discovery.file
struct DiscoveryFile {
  // Paths whose last part may hold `*`.
  std::vector<std::string> files;
  absl::Duration refresh_interval = absl::Minutes(5);
  bool operator==(const DiscoveryFile&) const = default;
};

// discovery.dns
struct DiscoveryDns {
  enum class Type { kSrv, kA, kAaaa, kMx, kNs };

  std::vector<std::string> names;
  Type type = Type::kSrv;
  // Of targets from records without a port.
  int port = 0;
  absl::Duration refresh_interval = absl::Seconds(30);
  bool operator==(const DiscoveryDns&) const = default;
};

// discovery.kubelet
struct DiscoveryKubelet {
  std::string url = "https://localhost:10250";
  absl::Duration refresh_interval = absl::Seconds(5);
  // Empty: all namespaces.
  std::vector<std::string> namespaces;
  HttpClientConfig client;
  bool operator==(const DiscoveryKubelet&) const = default;
};

}  // namespace stoker::config
