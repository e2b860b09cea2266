#pragma once

#include <memory>

#include "services/cli/doctor/host.h"

namespace stoker::cli {

// The machine that this process runs on. Thread-safe.
std::unique_ptr<Host> MakeSystemHost();

}  // namespace stoker::cli
