#pragma once

#include <absl/status/statusor.h>
#include <google/protobuf/repeated_ptr_field.h>

#include "proto/target/v1/label.pb.h"
#include "services/common/model/labels.h"

namespace stoker::wire {

// Appends `labels` in their order.
void ToProto(const model::Labels& labels,
             google::protobuf::RepeatedPtrField<target::v1::Label>* proto);

// INVALID_ARGUMENT for a label without a name. Empty values vanish; of equal names the last wins.
absl::StatusOr<model::Labels> FromProto(
    const google::protobuf::RepeatedPtrField<target::v1::Label>& proto);

}  // namespace stoker::wire
