#include "services/common/config/components/discovery_kubernetes.h"

#include <set>

#include "services/common/base/status.h"
#include "services/common/config/components/schemas.h"

namespace stoker::config {
namespace {

using Config = DiscoveryKubernetes;
using Role = Config::Role;

const std::vector<std::pair<std::string, Role>>& Roles() {
  static const std::vector<std::pair<std::string, Role>> roles = {
      {"pod", Role::kPod},
      {"node", Role::kNode},
      {"service", Role::kService},
      {"endpoints", Role::kEndpoints},
      {"endpointslice", Role::kEndpointSlice},
      {"ingress", Role::kIngress}};
  return roles;
}

// Whether objects of a role are made from objects of another. Source: Prometheus' discovery.
bool Allows(Role role, Role selector) {
  if (role == selector) return true;
  switch (role) {
    case Role::kPod:
      return selector == Role::kNode;
    case Role::kEndpoints:
    case Role::kEndpointSlice:
      return selector == Role::kPod || selector == Role::kService;
    default:
      return false;
  }
}

absl::Status Validate(const Config& config) {
  std::set<Role> seen;
  for (const Config::Selector& selector : config.selectors) {
    if (!seen.insert(selector.role).second) {
      return InvalidArgument("selectors of one role may only be given once");
    }
    if (!Allows(config.role, selector.role)) {
      return InvalidArgument("selectors of this role do not go with the component's role");
    }
  }
  if (!config.api_server.empty() && !config.kubeconfig_file.empty()) {
    return InvalidArgument("cannot use 'kubeconfig_file' and 'api_server' simultaneously");
  }
  return absl::OkStatus();
}

const Schema& NamespacesSchema() {
  using Namespaces = Config::Namespaces;
  static const Schema* const schema =
      SchemaBuilder<Namespaces>()
          .Optional("own_namespace", &Namespaces::own_namespace,
                    "Include the namespace of this process.")
          .Optional("names", &Namespaces::names, "List of namespaces to search.")
          .Build();
  return *schema;
}

const Schema& SelectorSchema() {
  using Selector = Config::Selector;
  static const Schema* const schema =
      SchemaBuilder<Selector>()
          .RequiredChoice("role", &Selector::role, Roles(), "Role of the selector.")
          .Optional("label", &Selector::label, "Label selector string.")
          .Optional("field", &Selector::field, "Field selector string.")
          .Build();
  return *schema;
}

const Schema& AttachMetadataSchema() {
  using Attach = Config::AttachMetadata;
  static const Schema* const schema =
      SchemaBuilder<Attach>()
          .Optional("node", &Attach::node, "Attach metadata of the node.")
          .Optional("namespace", &Attach::namespace_metadata, "Attach metadata of the namespace.")
          .Build();
  return *schema;
}

}  // namespace

const Schema& DiscoveryKubernetesSchema() {
  static const Schema* const schema =
      SchemaBuilder<Config>()
          .RequiredChoice("role", &Config::role, Roles(), "Type of Kubernetes resource to query.")
          .Optional("api_server", &Config::api_server, "URL of Kubernetes API server.")
          .Optional("kubeconfig_file", &Config::kubeconfig_file,
                    "Path of a kubeconfig file to use for connecting to Kubernetes.")
          .Squash(&Config::client, HttpClientConfigSchema())
          .Block("namespaces", &Config::namespaces, NamespacesSchema(),
                 "Information about which Kubernetes namespaces to search.")
          .Blocks("selectors", &Config::selectors, SelectorSchema(),
                  "Information about which Kubernetes resources to search.")
          .Block("attach_metadata", &Config::attach_metadata, AttachMetadataSchema(),
                 "Optional metadata to attach to discovered targets.")
          .Validate(Validate)
          .Build();
  return *schema;
}

}  // namespace stoker::config
