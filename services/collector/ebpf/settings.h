#pragma once

#include <string>
#include <vector>

#include "services/common/config/components/pyroscope_ebpf.h"

namespace stoker::ebpf {

// One pyroscope.ebpf as the configuration has it.
struct ComponentSettings {
  std::string id;
  config::PyroscopeEbpf arguments;
  // Of the profiles; part of the keys of binaries.
  std::string tenant;
  bool operator==(const ComponentSettings&) const = default;
};

// What the process takes from its configuration.
struct Settings {
  // SHA-256 of the configuration, in hex.
  std::string hash;
  // As rpc::Dialer takes them; "" is the socket in the run folder.
  std::string discovery_address;
  std::string symbolizer_address;
  std::vector<ComponentSettings> components;
};

}  // namespace stoker::ebpf
