#include "services/collector/ebpf/load_settings.h"

namespace stoker::ebpf {

Settings LoadSettings(const config::Configuration& configuration, LastGoodEbpf& last) {
  const config::Stoker& stoker = configuration.stoker();
  last.Update(configuration);
  Settings settings{.discovery_address = stoker.discovery.address,
                    .symbolizer_addresses = stoker.symbolizer.All(),
                    .map_bytes = stoker.ebpf.map_bytes,
                    .components = {},
                    .failed = last.failed()};
  for (const auto& [id, arguments] : last.arguments()) {
    settings.components.push_back({id, arguments, stoker.tenant});
    if (arguments.off_cpu_threshold > 0) {
      settings.components.push_back({id, arguments, stoker.tenant, true});
    }
  }
  return settings;
}

}  // namespace stoker::ebpf
