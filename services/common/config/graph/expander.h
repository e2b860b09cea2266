#pragma once

#include <string>
#include <vector>

#include "services/common/config/environment.h"
#include "services/common/config/graph/program.h"
#include "services/common/config/syntax/diagnostic.h"

namespace stoker::config {

struct ExpanderOptions {
  // Components of foreign families are left out with a warning instead of refused.
  bool skip_unknown = false;
  // The folder of the main file: the variable module_path.
  std::string module_path;
};

// Turns the parsed bodies of the main files into modules and components: each `declare` block is
// instantiated where it is used, `import.file` and `import.string` are read, `foreach` is unrolled.
// The collection of `foreach` and the arguments of imports are known when the configuration is
// loaded: they name no components.
void Expand(const std::vector<const Body*>& bodies, const Environment& environment,
            const ExpanderOptions& options, Program& program, Diagnostics& diagnostics);

}  // namespace stoker::config
