#pragma once

#include "services/common/config/eval/value.h"

namespace stoker::config {

// The namespace `array`: concat, combine_maps, group_by.
Value::Object ArrayFunctions();

}  // namespace stoker::config
