#pragma once

#include <map>
#include <string>
#include <vector>

#include <absl/status/status.h>

#include "services/collector/ebpf/sampler.h"
#include "services/common/config/components/pyroscope_ebpf.h"

namespace stoker::ebpf {

// One pyroscope.ebpf as the configuration has it: its profiles of one kind.
struct ComponentSettings {
  std::string id;
  config::PyroscopeEbpf arguments;
  // Of the profiles; part of the keys of binaries.
  std::string tenant;
  // Profiles of the time that threads are not on a CPU; else of CPU time.
  bool off_cpu = false;

  // What takes its samples.
  [[nodiscard]] SamplerKind sampler() const {
    SamplerKind kind = off_cpu ? SamplerKind::OffCpu(arguments.off_cpu_threshold)
                               : SamplerKind(arguments.sample_rate);
    kind.python = arguments.python_enabled;
    return kind;
  }
  // Tells it from all others; the id of what makes CPU profiles.
  [[nodiscard]] std::string key() const { return off_cpu ? id + ".offcpu" : id; }
  bool operator==(const ComponentSettings&) const = default;
};

// What the process takes from its configuration.
struct Settings {
  // As rpc::Dialer takes them; "" is the socket in the run folder.
  std::string discovery_address;
  // Of all symbolizers; empty: the socket in the run folder.
  std::vector<std::string> symbolizer_addresses;
  // Kernel memory of all maps together, at most.
  std::uint64_t map_bytes = 0;
  // One or two of each component.
  std::vector<ComponentSettings> components;
  // Components that are not as the configuration says, and why: they have their last good arguments
  // or, without such, do not run. By id.
  std::map<std::string, absl::Status> failed;
};

}  // namespace stoker::ebpf
