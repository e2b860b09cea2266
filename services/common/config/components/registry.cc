#include "services/common/config/components/registry.h"

#include <algorithm>
#include <array>

#include "services/common/config/components/schemas.h"

namespace stoker::config {
namespace {

constexpr const char kDiscovery[] = "stoker-discovery";
constexpr const char kForwarder[] = "stoker-forwarder";

ExportSchema Targets(std::string name = "targets") {
  return {std::move(name), ExportKind::kTargets, "The targets."};
}

ExportSchema ReceiverExport() {
  return {"receiver", ExportKind::kReceiver, "A value that other components can send profiles to."};
}

ExportSchema Rules() { return {"rules", ExportKind::kRules, "The relabeling rules."}; }

ExportSchema Content() { return {"content", ExportKind::kContent, "What was read."}; }

// NOLINTNEXTLINE(readability-function-size): a table.
std::vector<ComponentSchema> MakeComponents() {
  std::vector<ComponentSchema> all = {
      {"discovery.dns",
       kDiscovery,
       "discovers targets from DNS records.",
       &DiscoveryDnsSchema(),
       {Targets()}},
      {"discovery.docker",
       kDiscovery,
       "discovers Docker Engine containers.",
       &DiscoveryDockerSchema(),
       {Targets()}},
      {"discovery.dockerswarm",
       kDiscovery,
       "discovers targets of a Docker Swarm.",
       &DiscoveryDockerSwarmSchema(),
       {Targets()}},
      {"discovery.file",
       kDiscovery,
       "discovers targets from a set of files.",
       &DiscoveryFileSchema(),
       {Targets()}},
      {"discovery.http",
       kDiscovery,
       "discovers targets from an HTTP endpoint.",
       &DiscoveryHttpSchema(),
       {Targets()}},
      {"discovery.kubelet",
       kDiscovery,
       "discovers the pods of one Kubelet.",
       &DiscoveryKubeletSchema(),
       {Targets()}},
      {"discovery.kubernetes",
       kDiscovery,
       "discovers targets from Kubernetes resources.",
       &DiscoveryKubernetesSchema(),
       {Targets()}},
      {"discovery.process",
       kDiscovery,
       "discovers processes running on the local Linux host.",
       &DiscoveryProcessSchema(),
       {Targets()}},
      {"discovery.relabel",
       kDiscovery,
       "rewrites the label sets of targets by relabeling rules.",
       &DiscoveryRelabelSchema(),
       {Targets("output"), Rules()}},
      {"local.file",
       "",
       "exposes the contents of a file on disk.",
       &LocalFileSchema(),
       {Content()}},
      {"pyroscope.ebpf",
       "stoker-ebpf-collector",
       "profiles the processes of this host through eBPF.",
       &PyroscopeEbpfSchema(),
       {}},
      {"pyroscope.enrich",
       kForwarder,
       "gives profiles the labels of targets.",
       &PyroscopeEnrichSchema(),
       {ReceiverExport()}},
      {"pyroscope.java",
       "stoker-java-collector",
       "profiles Java processes of this host through async-profiler.",
       &PyroscopeJavaSchema(),
       {}},
      {"pyroscope.receive_http",
       kForwarder,
       "receives profiles over HTTP.",
       &PyroscopeReceiveHttpSchema(),
       {}},
      {"pyroscope.relabel",
       kForwarder,
       "rewrites the labels of profiles by relabeling rules.",
       &PyroscopeRelabelSchema(),
       {ReceiverExport(), Rules()}},
      {"pyroscope.scrape",
       "stoker-scraper",
       "collects pprof profiles of HTTP targets.",
       &PyroscopeScrapeSchema(),
       {}},
      {"pyroscope.write",
       kForwarder,
       "sends profiles to endpoints.",
       &PyroscopeWriteSchema(),
       {ReceiverExport()}},
      {"remote.http", "", "exposes the response of a URL.", &RemoteHttpSchema(), {Content()}},
  };
  std::sort(all.begin(), all.end(),
            [](const ComponentSchema& a, const ComponentSchema& b) { return a.name < b.name; });
  return all;
}

}  // namespace

const ExportSchema* ComponentSchema::FindExport(std::string_view export_name) const {
  const auto it = std::find_if(exports.begin(), exports.end(), [&](const ExportSchema& exported) {
    return exported.name == export_name;
  });
  return it == exports.end() ? nullptr : &*it;
}

std::span<const ComponentSchema> AllComponents() {
  static const std::vector<ComponentSchema> all = MakeComponents();
  return all;
}

const ComponentSchema* FindComponent(std::string_view name) {
  const auto all = AllComponents();
  const auto it = std::lower_bound(
      all.begin(), all.end(), name,
      [](const ComponentSchema& component, std::string_view n) { return component.name < n; });
  return it == all.end() || it->name != name ? nullptr : &*it;
}

bool IsForeignFamily(std::string_view name) {
  static constexpr std::array<std::string_view, 7> kFamilies = {
      "prometheus.", "loki.", "otelcol.", "mimir.", "faro.", "beyla.", "database_observability."};
  return std::any_of(kFamilies.begin(), kFamilies.end(),
                     [name](std::string_view family) { return name.starts_with(family); });
}

}  // namespace stoker::config
