#include "services/forwarder/load_settings.h"

#include "services/common/base/status.h"

namespace stoker::forwarder {

absl::StatusOr<Settings> LoadSettings(const config::Configuration& configuration) {
  Settings settings{.default_receivers = configuration.stoker().forwarder.default_receivers,
                    .tenant = configuration.stoker().tenant};
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
