#include "services/discovery/sources/docker_networks.h"

#include <fmt/format.h>

#include "services/common/model/label_editor.h"
#include "services/discovery/sources/json_members.h"

namespace stoker::discovery {

NetworkLabels ReadNetworks(const nlohmann::json& networks, std::string_view prefix) {
  NetworkLabels read;
  for (const nlohmann::json& network : networks) {
    const std::string id = TextMember(network, "Id");
    const std::string start = fmt::format("{}network_", prefix);
    model::Labels labels{{start + "id", id},
                         {start + "name", TextMember(network, "Name")},
                         {start + "scope", TextMember(network, "Scope")},
                         {start + "internal", FlagMember(network, "Internal")},
                         {start + "ingress", FlagMember(network, "Ingress")}};
    SetTexts(Member(network, "Labels"), start + "label_", labels);
    read.emplace(id, std::move(labels));
  }
  return read;
}

void AddLabels(const model::Labels& more, model::Labels& labels) {
  model::LabelEditor editor(labels);
  for (const model::LabelView label : more) editor.Set(label.name, label.value);
  labels = editor.Make();
}

void AddNetwork(const NetworkLabels& networks, const std::string& id, model::Labels& labels) {
  if (const auto it = networks.find(id); it != networks.end()) AddLabels(it->second, labels);
}

std::string HostPort(std::string_view host, std::uint64_t port) {
  const bool v6 = host.find(':') != std::string_view::npos;
  return fmt::format("{}{}{}:{}", v6 ? "[" : "", host, v6 ? "]" : "", port);
}

}  // namespace stoker::discovery
