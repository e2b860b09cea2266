#pragma once

#include <compare>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

namespace stoker::store {

// What a series' values count: `process_cpu:cpu:nanoseconds:cpu:nanoseconds`. The period may be
// empty: `off_cpu:off_cpu:nanoseconds::`.
struct ProfileType {
  // The series' __name__.
  std::string name;
  std::string sample_type;
  std::string sample_unit;
  std::string period_type;
  std::string period_unit;

  // The five parts joined with ':', the value of __profile_type__.
  [[nodiscard]] std::string Id() const;

  auto operator<=>(const ProfileType&) const = default;
};

// Five parts, or six of which the last ("delta") says nothing; INVALID_ARGUMENT for anything else.
absl::StatusOr<ProfileType> ParseProfileType(std::string_view id);

}  // namespace stoker::store
