#pragma once

#include <absl/status/statusor.h>

#include "services/common/config/configuration.h"
#include "services/common/config/last_good.h"
#include "services/forwarder/settings.h"

namespace stoker::forwarder {

using LastGoodWrite = config::LastGood<config::PyroscopeWrite>;

// The settings that a configuration holds; `last` is kept from one to the next. INVALID_ARGUMENT
// for a default receiver that is no pyroscope.write.
absl::StatusOr<Settings> LoadSettings(const config::Configuration& configuration,
                                      LastGoodWrite& last);

}  // namespace stoker::forwarder
