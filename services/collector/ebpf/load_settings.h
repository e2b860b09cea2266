#pragma once

#include "services/collector/ebpf/settings.h"
#include "services/common/config/configuration.h"
#include "services/common/config/last_good.h"

namespace stoker::ebpf {

using LastGoodEbpf = config::LastGood<config::PyroscopeEbpf>;

// What a configuration says of this process; `last` is kept from one to the next.
Settings LoadSettings(const config::Configuration& configuration, LastGoodEbpf& last);

}  // namespace stoker::ebpf
