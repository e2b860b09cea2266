#pragma once

#include <functional>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "services/common/runtime/service.h"
#include "services/forwarder/settings.h"

namespace stoker::forwarder {

// What the process is called and listens on.
runtime::ServiceInfo Info();

// Reads the settings, at start and at each reload.
using SettingsSource = std::function<absl::StatusOr<Settings>()>;

// Runs the forwarder in `service` until it is told to stop. What it holds then stays in the spool.
absl::Status RunProcess(runtime::Service& service, const SettingsSource& source);

}  // namespace stoker::forwarder
