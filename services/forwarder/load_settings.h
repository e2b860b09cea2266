#pragma once

#include <absl/status/statusor.h>

#include "services/common/config/configuration.h"
#include "services/forwarder/settings.h"

namespace stoker::forwarder {

// The settings that a configuration holds. INVALID_ARGUMENT as its expressions give it, and for a
// default receiver that is no pyroscope.write.
absl::StatusOr<Settings> LoadSettings(const config::Configuration& configuration);

}  // namespace stoker::forwarder
