#pragma once

#include <cstdint>
#include <memory>

#include <absl/status/status.h>

#include "services/common/model/target.h"

namespace stoker::discovery {

// What a component or an expression gives.
struct TargetOutput {
  std::shared_ptr<const model::TargetVector> targets = std::make_shared<model::TargetVector>();
  // True when every source behind it has succeeded at least once.
  bool ready = false;
  // Why `targets` is older than its inputs; OK when it is not.
  absl::Status status;
  // Another one after each change of the above; never used twice within a graph.
  std::uint64_t version = 0;
};

}  // namespace stoker::discovery
