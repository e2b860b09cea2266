#include "services/store/profile_type.h"

#include <vector>

#include "services/common/base/status.h"

namespace stoker::store {

std::string ProfileType::Id() const {
  return fmt::format("{}:{}:{}:{}:{}", name, sample_type, sample_unit, period_type, period_unit);
}

absl::StatusOr<ProfileType> ParseProfileType(std::string_view id) {
  std::vector<std::string> parts(1);
  for (const char c : id) {
    if (c == ':') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  if (parts.size() != 5 && parts.size() != 6) {
    return InvalidArgument(
        "profile-type selection must be of the form "
        "<name>:<sample-type>:<sample-unit>:<period-type>:<period-unit>(:delta), got({}): \"{}\"",
        parts.size(), id);
  }
  return ProfileType{parts[0], parts[1], parts[2], parts[3], parts[4]};
}

}  // namespace stoker::store
