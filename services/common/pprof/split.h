#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "services/common/pprof/profile.h"

namespace stoker::pprof {

// What the far end takes in one profile. The defaults are Grafana Pyroscope's
// (validation.max-profile-stacktrace-samples and validation.max-profile-size-bytes, inflated).
struct SplitLimits {
  std::size_t max_samples = 16'000;
  std::size_t max_bytes = 4'194'304;
};

// Whether `profile` must be split to fit.
[[nodiscard]] bool NeedsSplit(const Profile& profile, const SplitLimits& limits = {});

// The profile in parts that fit, bare: together they hold each sample once. Every part carries the
// head (types, period, time, duration) and only the mappings, functions and locations its samples
// use. A single sample that is larger than max_bytes makes a part of its own. Without samples: one
// part.
std::vector<std::string> Split(const Profile& profile, const SplitLimits& limits = {});

}  // namespace stoker::pprof
