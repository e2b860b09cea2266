#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "services/common/model/labels.h"
#include "services/common/model/text.h"

namespace stoker::model {

// Labels that say which process or container a target is.
inline constexpr std::string_view kProcessPidLabel = "__process_pid__";
inline constexpr std::string_view kContainerIdLabel = "__container_id__";

// Something to profile: a process, a container or an address.
struct Target {
  // Unique within a list. A changed target keeps its id where it can.
  Text id;
  // Meta labels included.
  Labels labels;
  // Field 22 of /proc/PID/stat where the target is a process, else 0.
  std::uint64_t process_start_ticks = 0;
  bool operator==(const Target&) const = default;
};

// Shared, because a list changes by few of its targets: equal pointers are equal targets.
using TargetPtr = std::shared_ptr<const Target>;
using TargetVector = std::vector<TargetPtr>;

}  // namespace stoker::model
