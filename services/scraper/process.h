#pragma once

#include <absl/status/status.h>

#include "services/common/runtime/service.h"

namespace stoker::scraper {

// What the process is called, listens on and understands.
runtime::ServiceInfo Info();

// Runs the scraper in `service` until it is told to stop; then running scrapes are cancelled and
// what was scraped goes to the forwarder, for some seconds.
absl::Status RunProcess(runtime::Service& service);

}  // namespace stoker::scraper
