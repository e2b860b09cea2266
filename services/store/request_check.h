#pragma once

#include <cstdint>
#include <string>

#include <absl/status/statusor.h>
#include <google/protobuf/repeated_ptr_field.h>

#include "services/store/part.h"
#include "services/store/profile_type.h"
#include "services/store/selector.h"

namespace stoker::store {

// [start, end) of Unix milliseconds, or Pyroscope's 400 for a range that is missing or turned
// round.
absl::StatusOr<TimeRange> CheckRange(std::int64_t start_ms, std::int64_t end_ms);

// The selector that a query names in two halves. An empty `label_selector` is refused, {} is not.
absl::StatusOr<Selector> CheckSelector(const std::string& profile_type,
                                       const std::string& label_selector);

// All matchers of all of `selectors`.
absl::StatusOr<Selector> CheckMatchers(
    const google::protobuf::RepeatedPtrField<std::string>& selectors);

// Seconds to milliseconds, at least one.
absl::StatusOr<std::int64_t> CheckStep(double seconds);

}  // namespace stoker::store
