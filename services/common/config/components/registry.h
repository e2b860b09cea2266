#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "services/common/config/schema/schema.h"

namespace stoker::config {

enum class ExportKind {
  // A list of targets.
  kTargets,
  // Takes profiles; its value is the component's id.
  kReceiver,
  // The component's relabelling rules.
  kRules,
  // Text, or a secret, read from outside.
  kContent,
};

struct ExportSchema {
  std::string name;
  ExportKind kind;
  std::string description;
};

// A type of component.
struct ComponentSchema {
  // "pyroscope.ebpf".
  std::string name;
  // The process that runs it, as its binary is named; "" for those that every process runs itself.
  std::string process;
  std::string description;
  const Schema* arguments = nullptr;
  std::vector<ExportSchema> exports;

  [[nodiscard]] const ExportSchema* FindExport(std::string_view export_name) const;
};

// All types, sorted by name.
std::span<const ComponentSchema> AllComponents();
// Null for an unknown name.
const ComponentSchema* FindComponent(std::string_view name);

// True for components of other families of Alloy's, which Stoker does not run: prometheus.*,
// loki.*, otelcol.*, mimir.*, faro.*, beyla.*, database_observability.*.
bool IsForeignFamily(std::string_view name);

}  // namespace stoker::config
