#pragma once

#include <string>
#include <vector>

#include <absl/time/time.h>

#include "services/common/config/components/http_client_config.h"

namespace stoker::config {

// A filter of the Docker Engine API.
struct DockerFilter {
  std::string name;
  std::vector<std::string> values;
  bool operator==(const DockerFilter&) const = default;
};

// Arguments of discovery.docker.
struct DiscoveryDocker {
  std::string host;
  // Of targets of containers without a port.
  int port = 80;
  // The address of targets on the host's network.
  std::string host_networking_host = "localhost";
  absl::Duration refresh_interval = absl::Minutes(1);
  bool match_first_network = true;
  std::vector<DockerFilter> filters;
  HttpClientConfig client;
  bool operator==(const DiscoveryDocker&) const = default;
};

// Arguments of discovery.dockerswarm.
struct DiscoveryDockerSwarm {
  enum class Role { kTasks, kServices, kNodes };

  std::string host;
  Role role = Role::kTasks;
  int port = 80;
  absl::Duration refresh_interval = absl::Seconds(60);
  std::vector<DockerFilter> filters;
  HttpClientConfig client;
  bool operator==(const DiscoveryDockerSwarm&) const = default;
};

}  // namespace stoker::config
