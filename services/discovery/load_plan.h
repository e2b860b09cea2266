#pragma once

#include <memory>

#include <absl/status/statusor.h>

#include "services/common/config/configuration.h"
#include "services/discovery/plan.h"

namespace stoker::discovery {

// The plan of a configuration. A component whose arguments are refused is INVALID_ARGUMENT where
// `last` is null, at the start; else it keeps its definition of `last`, or is broken where it had
// none. A component of a kind that discovery does not know is broken.
absl::StatusOr<PlanPtr> LoadPlan(const std::shared_ptr<const config::Configuration>& configuration,
                                 const Plan* last);

}  // namespace stoker::discovery
