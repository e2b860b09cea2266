#pragma once

#include <functional>
#include <optional>
#include <string>

#include "services/cli/doctor/check.h"
#include "services/cli/doctor/host.h"
#include "services/cli/doctor/instance_checks.h"

namespace stoker::cli {

struct DiagnoseOptions {
  // Checked where given.
  std::string config;
  std::string data_dir;
};

// All checks: of this host, and of what runs; `view` is nothing where no `stoker run` answers.
Checks Diagnose(const Host& host, const DiagnoseOptions& options,
                const std::optional<InstanceView>& view);

}  // namespace stoker::cli
