#include "services/forwarder/load_settings.h"

#include "services/common/base/status.h"

namespace stoker::forwarder {

absl::StatusOr<Settings> LoadSettings(const config::Configuration& configuration,
                                      LastGoodWrite& last) {
  const config::Stoker& stoker = configuration.stoker();
  last.Update(configuration);
  Settings settings{.writers = last.arguments(),
                    .default_receivers = stoker.forwarder.default_receivers,
                    .tenant = stoker.tenant,
                    .spool_max_bytes = stoker.forwarder.spool.max_bytes,
                    .spool_max_age = stoker.forwarder.spool.max_age,
                    .failed = last.failed()};
  for (const std::string& receiver : settings.default_receivers) {
    if (!settings.writers.contains(receiver) && !settings.failed.contains(receiver)) {
      return InvalidArgument("stoker > forwarder > default_receivers: there is no {}", receiver);
    }
  }
  return settings;
}

}  // namespace stoker::forwarder
