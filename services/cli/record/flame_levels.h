#pragma once

#include <nlohmann/json.hpp>

#include "services/cli/record/named_stacks.h"

namespace stoker::cli {

// The flame graph of the stacks in the form of Pyroscope's /render ("flamebearer", single):
// {"names", "levels", "numTicks", "maxSelf"}; a level is a row of [offset from the end of the one
// before, total, self, name]. Children stand in the order of their names.
nlohmann::ordered_json ToFlamebearer(const NamedStacks& stacks);

}  // namespace stoker::cli
