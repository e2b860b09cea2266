#pragma once

#include <absl/status/statusor.h>

#include "services/collector/ebpf/settings.h"
#include "services/common/config/configuration.h"

namespace stoker::ebpf {

// What a configuration says of this process. INVALID_ARGUMENT names the component.
absl::StatusOr<Settings> LoadSettings(const config::Configuration& configuration);

}  // namespace stoker::ebpf
