#pragma once

#include <string>
#include <string_view>

#include <absl/status/status.h>

namespace stoker::store {

// `status` marked with why a profile was discarded: a `reason` of
// pyroscope_discarded_samples_total.
absl::Status Reject(std::string_view reason, absl::Status status);

// The reason of a marked status, "unknown" of any other.
std::string ReasonOf(const absl::Status& status);

}  // namespace stoker::store
