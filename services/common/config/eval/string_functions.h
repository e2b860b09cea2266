#pragma once

#include <absl/status/statusor.h>

#include "services/common/config/eval/value.h"

namespace stoker::config {

// The namespace `string`: format, join, replace, split, to_lower, to_upper, trim, trim_prefix,
// trim_suffix, trim_space.
Value::Object StringFunctions();

// Go's fmt.Sprintf with the verbs v s q d b o x X f F e E g G t c and %%; flags, width and
// precision. `arguments[0]` is the format.
absl::StatusOr<Value> Format(const Value::Array& arguments);

}  // namespace stoker::config
