#include "services/collector/ebpf/load_settings.h"

#include <utility>

#include "services/common/base/status.h"

namespace stoker::ebpf {

absl::StatusOr<Settings> LoadSettings(const config::Configuration& configuration) {
  const config::Stoker& stoker = configuration.stoker();
  Settings settings{.hash = configuration.hash(),
                    .discovery_address = stoker.discovery.address,
                    .symbolizer_address = stoker.symbolizer.address};
  for (const std::string& id : configuration.Components("pyroscope.ebpf")) {
    STOKER_ASSIGN_OR_RETURN(config::PyroscopeEbpf arguments,
                            configuration.Arguments<config::PyroscopeEbpf>(id));
    settings.components.push_back({id, std::move(arguments), stoker.tenant});
  }
  return settings;
}

}  // namespace stoker::ebpf
