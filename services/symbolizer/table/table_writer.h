#pragma once

#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "services/common/elf/function_ranges.h"
#include "services/symbolizer/table/code_map.h"

namespace stoker::symbolizer {

// The bytes of a table (table_format.h) of `ranges`, which are ascending and disjoint, and of what
// `code` says; its texts gain the ranges' names. `flags` of the header, `notes` as kTableNotes.
// INVALID_ARGUMENT when addresses span 4 GiB or more, or texts do not fit.
absl::StatusOr<std::string> WriteTable(const std::vector<elf::FunctionRange>& ranges, CodeMap& code,
                                       std::uint32_t flags, const std::string& notes);

// Of symbols alone.
absl::StatusOr<std::string> WriteTable(const std::vector<elf::FunctionRange>& ranges,
                                       std::uint32_t flags = 0);

}  // namespace stoker::symbolizer
