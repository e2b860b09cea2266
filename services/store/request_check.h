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

// Whether each of `ids` is such a word: 16 hexadecimal digits for a span, 32 for a trace, a UUID
// for a profile.
absl::Status CheckSpanIds(const google::protobuf::RepeatedPtrField<std::string>& ids);
absl::Status CheckTraceIds(const google::protobuf::RepeatedPtrField<std::string>& ids);
absl::Status CheckProfileIds(const google::protobuf::RepeatedPtrField<std::string>& ids);

// Seconds to milliseconds, at least one.
absl::StatusOr<std::int64_t> CheckStep(double seconds);

}  // namespace stoker::store
