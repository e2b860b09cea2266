#include "services/forwarder/load_settings.h"

#include "services/common/base/status.h"

namespace stoker::forwarder {

absl::StatusOr<Settings> LoadSettings(const config::Configuration& configuration) {
  const config::Stoker& stoker = configuration.stoker();
  Settings settings{.default_receivers = stoker.forwarder.default_receivers,
                    .tenant = stoker.tenant,
                    .spool_max_bytes = stoker.forwarder.spool.max_bytes,
                    .spool_max_age = stoker.forwarder.spool.max_age,
                    .hash = configuration.hash()};
  for (const std::string& id : configuration.Components("pyroscope.write")) {
    STOKER_ASSIGN_OR_RETURN(settings.writers[id],
                            configuration.Arguments<config::PyroscopeWrite>(id));
  }
  for (const std::string& receiver : settings.default_receivers) {
    if (!settings.writers.contains(receiver)) {
      return InvalidArgument("stoker > forwarder > default_receivers: there is no {}", receiver);
    }
  }
  return settings;
}

}  // namespace stoker::forwarder
