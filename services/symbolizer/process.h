#pragma once

#include <absl/status/status.h>

#include "services/common/runtime/service.h"

namespace stoker::symbolizer {

// What the process is called, listens on and understands.
runtime::ServiceInfo Info();

// Runs the symbolizer in `service` until it is told to stop; then what it holds goes to the
// forwarder, for some seconds, and what does not is sent again by its collector.
absl::Status RunProcess(runtime::Service& service);

}  // namespace stoker::symbolizer
