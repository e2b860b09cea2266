#pragma once

#include <optional>
#include <string>
#include <vector>

#include "services/common/config/components/http_client_config.h"

namespace stoker::config {

// Arguments of discovery.kubernetes.
struct DiscoveryKubernetes {
  enum class Role { kNode, kService, kPod, kEndpoints, kEndpointSlice, kIngress };

  struct Namespaces {
    bool own_namespace = false;
    std::vector<std::string> names;
    bool operator==(const Namespaces&) const = default;
  };

  struct Selector {
    Role role = Role::kPod;
    // Kubernetes' selector syntax.
    std::string label;
    std::string field;
    bool operator==(const Selector&) const = default;
  };

  struct AttachMetadata {
    bool node = false;
    bool namespace_metadata = false;
    bool operator==(const AttachMetadata&) const = default;
  };

  Role role = Role::kPod;
  // "" with no kubeconfig_file: the cluster this process runs in.
  std::string api_server;
  std::string kubeconfig_file;
  HttpClientConfig client;
  Namespaces namespaces;
  std::vector<Selector> selectors;
  AttachMetadata attach_metadata;
  bool operator==(const DiscoveryKubernetes&) const = default;
};

}  // namespace stoker::config
