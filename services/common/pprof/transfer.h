#pragma once

#include <cstdint>
#include <vector>

#include "services/common/pprof/profile.h"
#include "services/common/pprof/profile_builder.h"

namespace stoker::pprof {

// Adds the mappings, functions and locations of a profile to a builder.
class Transfer {
 public:
  Transfer(const Profile& profile, ProfileBuilder& builder);

  // The builder's id of location `index`, added at its first use. 0 for what is missing.
  std::uint64_t Location(std::uint32_t index);

 private:
  std::uint64_t Mapping(std::uint32_t index);
  std::uint64_t Function(std::uint32_t index);

  const Profile& profile_;
  ProfileBuilder& builder_;
  // Builder's ids, 0 where not added yet.
  std::vector<std::uint64_t> mappings_;
  std::vector<std::uint64_t> functions_;
  std::vector<std::uint64_t> locations_;
  std::vector<ProfileBuilder::Line> lines_;
};

}  // namespace stoker::pprof
