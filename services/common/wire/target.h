#pragma once

#include <absl/status/statusor.h>

#include "proto/target/v1/target.pb.h"
#include "services/common/model/target.h"

namespace stoker::wire {

target::v1::Target ToProto(const model::Target& target);

// INVALID_ARGUMENT for a target without an id, or with a label without a name.
absl::StatusOr<model::Target> FromProto(const target::v1::Target& proto);

}  // namespace stoker::wire
