#pragma once

#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "services/common/elf/function_ranges.h"

namespace stoker::symbolizer {

// The bytes of a table (table_format.h) of `ranges`, which are ascending and disjoint. Equal names
// are stored once. INVALID_ARGUMENT when they span 4 GiB or more.
absl::StatusOr<std::string> WriteTable(const std::vector<elf::FunctionRange>& ranges);

}  // namespace stoker::symbolizer
