#pragma once

#include "services/common/config/environment.h"
#include "services/common/config/graph/module.h"
#include "services/common/config/graph/program.h"
#include "services/common/config/syntax/diagnostic.h"

namespace stoker::config {

struct CheckOptions {
  // Values are checked too, as far as they are written out; else only names and types.
  bool check_values = false;
  // Deprecated names are errors.
  bool strict = false;
};

// Checks the arguments of all components against their schemas. References must be in order.
void CheckComponents(const Program& program, const Environment& environment,
                     const CheckOptions& options, Diagnostics& diagnostics);

}  // namespace stoker::config
