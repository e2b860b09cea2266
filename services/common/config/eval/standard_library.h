#pragma once

#include <optional>
#include <string_view>

#include "services/common/config/environment.h"
#include "services/common/config/eval/value.h"

namespace stoker::config {

// A name of the standard library: a namespace (an object of functions and constants) or one of the
// deprecated flat names. Functions borrow `environment`.
std::optional<Value> FindStandard(std::string_view name, const Environment& environment);

// True for the names that FindStandard knows.
bool IsStandard(std::string_view name);

// For a deprecated flat name, what stands for it now ("string.join" for "join"), else "". `env` and
// `concat` are used by published configurations and count as current.
std::string_view ReplacementOf(std::string_view name);

// True for the names whose values depend on the machine: sys, env, constants.
bool DependsOnMachine(std::string_view name);

}  // namespace stoker::config
