#pragma once

#include <absl/status/status.h>

#include "services/common/runtime/service.h"

namespace stoker::forwarder {

// What the process is called and listens on.
runtime::ServiceInfo Info();

// Runs the forwarder in `service` until it is told to stop. What it holds then stays in the spool.
absl::Status RunProcess(runtime::Service& service);

}  // namespace stoker::forwarder
