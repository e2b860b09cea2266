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

std::vector<ComponentSchema> MakeComponents() {
  std::vector<ComponentSchema> all = {
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
       {{"content", ExportKind::kContent, "The contents of the file."}}},
      {"pyroscope.ebpf",
       "stoker-ebpf-collector",
       "profiles the processes of this host through eBPF.",
       &PyroscopeEbpfSchema(),
       {}},
      {"pyroscope.write",
       kForwarder,
       "sends profiles to endpoints.",
       &PyroscopeWriteSchema(),
       {ReceiverExport()}},
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
