#pragma once

#include <vector>

#include "proto/profile/v1/profile.pb.h"

namespace stoker::forwarder {

// Whether the profile's pprof says that it is larger, inflated, than Pyroscope takes by default
// (4 MiB). Reads a few bytes only.
bool IsLarge(const profile::v1::Profile& profile);

// The profile in parts that Pyroscope takes by default (4 MiB inflated, 16,000 samples), each under
// an id made from the profile's and its place. Empty when it fits as it is, or is no sound pprof.
std::vector<profile::v1::Profile> SplitProfile(const profile::v1::Profile& profile);

}  // namespace stoker::forwarder
