#pragma once

#include <memory>

#include "services/common/config/configuration.h"
#include "services/discovery/plan.h"

namespace stoker::discovery {

// The plan of a configuration. A component whose arguments are refused keeps its definition of
// `last`, which may be null, or is broken where it had none, as is one of a kind that discovery
// does not know; Plan::stale says why.
PlanPtr LoadPlan(const std::shared_ptr<const config::Configuration>& configuration,
                 const Plan* last);

}  // namespace stoker::discovery
