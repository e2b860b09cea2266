#pragma once

#include <optional>
#include <string>

#include <absl/time/time.h>
#include <nlohmann/json.hpp>

#include "services/cli/doctor/check.h"

namespace stoker::cli {

// What a running `stoker run` tells of itself.
struct InstanceView {
  // Of /debug/state.
  nlohmann::json state;
  // Of /metrics, now and a while before; they count from the start. "" before the second look: then
  // nothing is said of what grows.
  std::string metrics;
  std::string metrics_before;
  absl::Time now;
};

// What is wrong with what runs, each cause under an id of its own; one check "instance" where
// nothing is. The causes, in the order in which one brings the next: processes, components,
// targets, samples, the way of profiles, endpoints, the store.
Checks CheckInstance(const InstanceView& view);

}  // namespace stoker::cli
