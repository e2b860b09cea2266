#include "services/discovery/kubernetes/role_targets.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include <absl/strings/ascii.h>
#include <absl/strings/str_split.h>
#include <fmt/format.h>

#include "services/common/model/label_editor.h"
#include "services/discovery/sources/kept_targets.h"

namespace stoker::discovery::kubernetes {
namespace {

using Attach = config::DiscoveryKubernetes::AttachMetadata;

// Labels as they are gathered: of equal names the last wins.
class LabelList {
 public:
  // `name` without `__meta_kubernetes_`.
  void Meta(std::string_view name, std::string_view value) {
    labels_.push_back({fmt::format("__meta_kubernetes_{}", name), std::string(value)});
  }
  void Flag(std::string_view name, bool value) { Meta(name, value ? "true" : "false"); }
  void Number(std::string_view name, std::int64_t value) { Meta(name, fmt::to_string(value)); }
  void Plain(std::string_view name, std::string_view value) {
    labels_.push_back({std::string(name), std::string(value)});
  }
  void Add(const LabelList& more) {
    labels_.insert(labels_.end(), more.labels_.begin(), more.labels_.end());
  }

  // An object's name, labels and annotations.
  void Object(std::string_view role, const ObjectMeta& meta) {
    Meta(fmt::format("{}_name", role), meta.name);
    LabelsOf(role, meta);
  }
  void LabelsOf(std::string_view role, const ObjectMeta& meta) {
    Present(role, "label", meta.labels);
    Present(role, "annotation", meta.annotations);
  }
  // Each of `pairs`, and that it is there.
  void Present(std::string_view role, std::string_view kind, const StringPairs& pairs) {
    for (const auto& [name, value] : pairs) {
      const std::string part = LabelNamePart(name);
      Meta(fmt::format("{}_{}_{}", role, kind, part), value);
      Meta(fmt::format("{}_{}present_{}", role, kind, part), "true");
    }
  }

  [[nodiscard]] model::Labels Make() const { return model::Labels(labels_); }
  // Later, and so stronger, than what is in `labels`.
  void AddTo(model::LabelEditor& labels) const {
    for (const model::Label& label : labels_) labels.Set(label.name, label.value);
  }

 private:
  std::vector<model::Label> labels_;
};

std::string JoinHostPort(std::string_view host, std::int64_t port) {
  const bool v6 = host.find(':') != std::string_view::npos;
  return v6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

// Makes the targets of one object.
class Maker {
 public:
  Maker(const Attach& attach, ObjectLookup& lookup) : attach_(attach), lookup_(lookup) {}

  void operator()(const Pod& pod);
  void operator()(const Node& node);
  void operator()(const Service& service);
  void operator()(const Endpoints& endpoints);
  void operator()(const EndpointSlice& slice);
  void operator()(const Ingress& ingress);
  // No role has them.
  void operator()(const Namespace&) {}

  std::vector<ObjectTarget> Take() { return std::move(targets_); }

 private:
  // A pod behind an endpoint, and which of its ports have a target.
  struct SeenPod {
    const Pod* pod;
    std::set<std::int64_t> ports;
  };
  using SeenPods = std::map<std::string, SeenPod>;

  template <typename Kind>
  const Kind* Find(Resource resource, const std::string& key) {
    const Object* object = lookup_.Find(resource, key);
    return object == nullptr ? nullptr : std::get_if<Kind>(object);
  }

  static LabelList PodLabels(const Pod& pod);
  static LabelList ServiceLabels(const Service& service);
  static void AddContainer(const Container& container, LabelList& labels);
  static void AddPort(const ContainerPort& port, LabelList& labels);
  void AddNamespace(const ObjectMeta& meta, LabelList& group);
  void AddNode(const std::string& name, LabelList& labels);
  // Of an endpoint at `node_name`, that belongs to `target`.
  void AddEndpointNode(const std::optional<std::string>& node_name,
                       const std::optional<TargetReference>& target, LabelList& labels);
  // The labels of the pod that an endpoint belongs to, and of its container with that port.
  void AddEndpointPod(const std::optional<TargetReference>& target,
                      std::optional<std::int64_t> port, SeenPods& seen, LabelList& labels);
  // Ports of pods that no endpoint has.
  void AddUnseenPorts(const SeenPods& seen, const model::Labels& group);
  // `group` is what the targets of the object have in common.
  void Emit(std::string name, const model::Labels& group, const LabelList& own);

  const Attach& attach_;
  ObjectLookup& lookup_;
  std::vector<ObjectTarget> targets_;
};

void Maker::Emit(std::string name, const model::Labels& group, const LabelList& own) {
  // The targets of an object share what is the same for all.
  model::LabelEditor labels = model::LabelEditor::OnTopOf(group);
  own.AddTo(labels);
  targets_.push_back({std::move(name), labels.Make()});
}

void Maker::AddNamespace(const ObjectMeta& meta, LabelList& group) {
  if (!attach_.namespace_metadata) return;
  const auto* found = Find<Namespace>(Resource::kNamespaces, meta.namespace_name);
  if (found != nullptr) group.LabelsOf("namespace", found->meta);
}

void Maker::AddNode(const std::string& name, LabelList& labels) {
  const auto* node = Find<Node>(Resource::kNodes, name);
  if (node != nullptr) labels.Object("node", node->meta);
}

LabelList Maker::PodLabels(const Pod& pod) {
  LabelList labels;
  labels.Meta("pod_ip", pod.ip);
  labels.Meta("pod_ready", pod.ready);
  labels.Meta("pod_phase", pod.phase);
  labels.Meta("pod_node_name", pod.node_name);
  labels.Meta("pod_host_ip", pod.host_ip);
  labels.Meta("pod_uid", pod.meta.uid);
  labels.Object("pod", pod.meta);
  labels.Meta("pod_controller_kind", pod.meta.controller_kind);
  labels.Meta("pod_controller_name", pod.meta.controller_name);
  return labels;
}

void Maker::AddContainer(const Container& container, LabelList& labels) {
  labels.Meta("pod_container_name", container.name);
  labels.Meta("pod_container_image", container.image);
  labels.Flag("pod_container_init", container.init);
}

void Maker::AddPort(const ContainerPort& port, LabelList& labels) {
  labels.Meta("pod_container_port_name", port.name);
  labels.Number("pod_container_port_number", port.number);
  labels.Meta("pod_container_port_protocol", port.protocol);
}

void Maker::operator()(const Pod& pod) {
  // It is starting, or was evicted.
  if (pod.ip.empty()) return;
  LabelList group = PodLabels(pod);
  group.Meta("namespace", pod.meta.namespace_name);
  if (attach_.node) {
    // A selector of nodes selects their pods.
    if (Find<Node>(Resource::kNodes, pod.node_name) == nullptr) return;
    AddNode(pod.node_name, group);
  }
  AddNamespace(pod.meta, group);
  const model::Labels shared = group.Make();
  for (const Container& container : pod.containers) {
    LabelList own;
    AddContainer(container, own);
    own.Meta("pod_container_id", container.id);
    if (container.ports.empty()) {
      own.Plain("__address__", pod.ip);
      Emit(container.name, shared, own);
    }
    for (const ContainerPort& port : container.ports) {
      LabelList with_port = own;
      AddPort(port, with_port);
      with_port.Plain("__address__", JoinHostPort(pod.ip, port.number));
      Emit(fmt::format("{}/{}/{}", container.name, port.number, port.protocol), shared, with_port);
    }
  }
}

void Maker::operator()(const Node& node) {
  static const std::vector<std::string_view> order = {"InternalIP",  "InternalDNS",  "ExternalIP",
                                                      "ExternalDNS", "LegacyHostIP", "Hostname"};
  LabelList labels;
  labels.Meta("node_provider_id", node.provider_id);
  for (const auto& [type, status] : node.conditions) {
    labels.Meta("node_condition_" + LabelNamePart(absl::AsciiStrToLower(type)),
                absl::AsciiStrToLower(status));
  }
  labels.Object("node", node.meta);
  // Of each type the first.
  std::map<std::string_view, std::string_view> addresses;
  for (const auto& [type, address] : node.addresses) addresses.try_emplace(type, address);
  for (const auto& [type, address] : addresses) {
    labels.Meta(LabelNamePart(fmt::format("node_address_{}", type)), address);
  }
  const auto best = std::find_if(order.begin(), order.end(),
                                 [&](std::string_view type) { return addresses.contains(type); });
  if (best == order.end()) return;
  LabelList own;
  own.Plain("__address__", JoinHostPort(addresses[*best], node.kubelet_port));
  own.Plain("instance", node.meta.name);
  Emit("", labels.Make(), own);
}

LabelList Maker::ServiceLabels(const Service& service) {
  LabelList labels;
  labels.Meta("namespace", service.meta.namespace_name);
  labels.Object("service", service.meta);
  return labels;
}

void Maker::operator()(const Service& service) {
  LabelList group = ServiceLabels(service);
  AddNamespace(service.meta, group);
  const model::Labels shared = group.Make();
  const std::string host = service.meta.name + "." + service.meta.namespace_name + ".svc";
  for (const ServicePort& port : service.ports) {
    LabelList own;
    own.Plain("__address__", JoinHostPort(host, port.number));
    own.Meta("service_port_name", port.name);
    own.Number("service_port_number", port.number);
    own.Meta("service_port_protocol", port.protocol);
    own.Meta("service_type", service.type);
    if (service.type == "ExternalName") {
      own.Meta("service_external_name", service.external_name);
    } else {
      own.Meta("service_cluster_ip", service.cluster_ip);
    }
    if (service.type == "LoadBalancer") {
      own.Meta("service_loadbalancer_ip", service.load_balancer_ip);
    }
    Emit(fmt::format("{}/{}", port.number, port.protocol), shared, own);
  }
}

void Maker::AddEndpointNode(const std::optional<std::string>& node_name,
                            const std::optional<TargetReference>& target, LabelList& labels) {
  if (!attach_.node) return;
  if (node_name) {
    AddNode(*node_name, labels);
  } else if (target && target->kind == "Node") {
    AddNode(target->name, labels);
  }
}

void Maker::AddEndpointPod(const std::optional<TargetReference>& target,
                           std::optional<std::int64_t> port, SeenPods& seen, LabelList& labels) {
  if (!target || target->kind != "Pod") return;
  const std::string key = KeyOf(target->namespace_name, target->name);
  const auto* pod = Find<Pod>(Resource::kPods, key);
  if (pod == nullptr) return;
  SeenPod& entry = seen.try_emplace(key, SeenPod{pod, {}}).first->second;
  labels.Add(PodLabels(*pod));
  if (!port) return;
  entry.ports.insert(*port);
  for (const Container& container : pod->containers) {
    const auto same = std::find_if(container.ports.begin(), container.ports.end(),
                                   [&](const ContainerPort& one) { return one.number == *port; });
    if (same == container.ports.end()) continue;
    AddContainer(container, labels);
    AddPort(*same, labels);
  }
}

void Maker::AddUnseenPorts(const SeenPods& seen, const model::Labels& group) {
  for (const auto& [key, entry] : seen) {
    if (entry.pod->ip.empty()) continue;
    for (const Container& container : entry.pod->containers) {
      for (const ContainerPort& port : container.ports) {
        if (entry.ports.contains(port.number)) continue;
        LabelList own;
        own.Plain("__address__", JoinHostPort(entry.pod->ip, port.number));
        AddContainer(container, own);
        AddPort(port, own);
        own.Add(PodLabels(*entry.pod));
        Emit(fmt::format("{}/{}/{}/{}", key, container.name, port.number, port.protocol), group,
             own);
      }
    }
  }
}

void Maker::operator()(const Endpoints& endpoints) {
  const ObjectMeta& meta = endpoints.meta;
  LabelList group;
  group.Meta("namespace", meta.namespace_name);
  const auto* service = Find<Service>(Resource::kServices, KeyOf(meta.namespace_name, meta.name));
  if (service != nullptr) group.Add(ServiceLabels(*service));
  group.Object("endpoints", meta);
  AddNamespace(meta, group);
  const model::Labels shared = group.Make();
  SeenPods seen;
  for (const EndpointSubset& subset : endpoints.subsets) {
    for (const ServicePort& port : subset.ports) {
      for (const EndpointAddress& address : subset.addresses) {
        LabelList own;
        own.Plain("__address__", JoinHostPort(address.ip, port.number));
        own.Meta("endpoint_port_name", port.name);
        own.Meta("endpoint_port_protocol", port.protocol);
        own.Flag("endpoint_ready", address.ready);
        if (address.target) {
          own.Meta("endpoint_address_target_kind", address.target->kind);
          own.Meta("endpoint_address_target_name", address.target->name);
        }
        own.Meta("endpoint_node_name", address.node_name.value_or(""));
        own.Meta("endpoint_hostname", address.hostname);
        AddEndpointNode(address.node_name, address.target, own);
        AddEndpointPod(address.target, port.number, seen, own);
        Emit(fmt::format("{}/{}/{}", address.ip, port.number, port.protocol), shared, own);
      }
    }
  }
  AddUnseenPorts(seen, shared);
}

// Whether a service's slices of another family give the targets already.
bool IsSecondary(const Service* service, const EndpointSlice& slice) {
  return service != nullptr && service->dual_stack && !service->primary_family.empty() &&
         slice.address_type != service->primary_family;
}

void AddSliceEndpoint(const Endpoint& endpoint, LabelList& labels) {
  const auto condition = [&labels](std::string_view name, std::optional<bool> value) {
    if (value) labels.Flag(fmt::format("endpointslice_endpoint_conditions_{}", name), *value);
  };
  condition("ready", endpoint.ready);
  condition("serving", endpoint.serving);
  condition("terminating", endpoint.terminating);
  labels.Meta("endpointslice_endpoint_hostname", endpoint.hostname);
  if (endpoint.target) {
    labels.Meta("endpointslice_address_target_kind", endpoint.target->kind);
    labels.Meta("endpointslice_address_target_name", endpoint.target->name);
  }
  labels.Meta("endpointslice_endpoint_node_name", endpoint.node_name.value_or(""));
  labels.Meta("endpointslice_endpoint_zone", endpoint.zone);
  for (const auto& [name, value] : endpoint.topology) {
    const std::string part = LabelNamePart(name);
    labels.Meta("endpointslice_endpoint_topology_" + part, value);
    labels.Meta("endpointslice_endpoint_topology_present_" + part, "true");
  }
}

void Maker::operator()(const EndpointSlice& slice) {
  const ObjectMeta& meta = slice.meta;
  LabelList group;
  group.Meta("namespace", meta.namespace_name);
  group.Meta("endpointslice_address_type", slice.address_type);
  group.Object("endpointslice", meta);
  const auto named = std::find_if(meta.labels.begin(), meta.labels.end(), [](const auto& label) {
    return label.first == "kubernetes.io/service-name";
  });
  const Service* service = nullptr;
  if (named != meta.labels.end()) {
    service = Find<Service>(Resource::kServices, KeyOf(meta.namespace_name, named->second));
  }
  if (service != nullptr) group.Add(ServiceLabels(*service));
  AddNamespace(meta, group);
  if (IsSecondary(service, slice)) return;
  const model::Labels shared = group.Make();
  SeenPods seen;
  for (const Endpoint& endpoint : slice.endpoints) {
    for (const EndpointPort& port : slice.ports) {
      for (const std::string& address : endpoint.addresses) {
        LabelList own;
        own.Plain("__address__", port.number ? JoinHostPort(address, *port.number) : address);
        own.Meta("endpointslice_port_name", port.name);
        own.Meta("endpointslice_port_protocol", port.protocol);
        if (port.number) own.Number("endpointslice_port", *port.number);
        own.Meta("endpointslice_port_app_protocol", port.app_protocol);
        AddSliceEndpoint(endpoint, own);
        const bool on_node = endpoint.target && endpoint.target->kind == "Node";
        AddEndpointNode(on_node ? std::nullopt : endpoint.node_name, endpoint.target, own);
        AddEndpointPod(endpoint.target, port.number, seen, own);
        Emit(fmt::format("{}/{}/{}", address, port.number.value_or(0), port.protocol), shared, own);
      }
    }
  }
  AddUnseenPorts(seen, shared);
}

// A pattern's first part may be `*`, for one part of a name.
bool MatchesHost(std::string_view pattern, std::string_view host) {
  const std::size_t dot = host.find('.');
  if (pattern == host || (pattern == "*" && dot == std::string_view::npos)) return true;
  return pattern.starts_with("*.") && dot != std::string_view::npos &&
         pattern.substr(1) == host.substr(dot);
}

void Maker::operator()(const Ingress& ingress) {
  LabelList group;
  group.Meta("namespace", ingress.meta.namespace_name);
  group.Meta("ingress_class_name", ingress.class_name);
  group.Object("ingress", ingress.meta);
  AddNamespace(ingress.meta, group);
  const model::Labels shared = group.Make();
  for (const IngressRule& rule : ingress.rules) {
    const bool tls =
        std::any_of(ingress.tls_hosts.begin(), ingress.tls_hosts.end(),
                    [&](const std::string& pattern) { return MatchesHost(pattern, rule.host); });
    std::vector<std::string> paths = rule.paths;
    if (paths.empty()) paths.emplace_back();
    for (const std::string& path : paths) {
      LabelList own;
      own.Plain("__address__", rule.host);
      own.Meta("ingress_scheme", tls ? "https" : "http");
      own.Meta("ingress_host", rule.host);
      own.Meta("ingress_path", path.empty() ? "/" : path);
      Emit(rule.host + path, shared, own);
    }
  }
}

}  // namespace

Resource ResourceOf(Role role) {
  switch (role) {
    case Role::kPod:
      return Resource::kPods;
    case Role::kNode:
      return Resource::kNodes;
    case Role::kService:
      return Resource::kServices;
    case Role::kEndpoints:
      return Resource::kEndpoints;
    case Role::kEndpointSlice:
      return Resource::kEndpointSlices;
    case Role::kIngress:
      return Resource::kIngresses;
  }
  return Resource::kPods;
}

std::vector<ObjectTarget> MakeTargets(const Object& object, const Attach& attach,
                                      ObjectLookup& lookup) {
  Maker maker(attach, lookup);
  std::visit(maker, object);
  return maker.Take();
}

}  // namespace stoker::discovery::kubernetes
