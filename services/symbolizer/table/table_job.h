#pragma once

#include <span>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "proto/symbol/v1/symbol.pb.h"
#include "services/common/sandbox/job.h"

namespace stoker::symbolizer {

// Jobs that make tables from what a collector sent. All answer with a table's bytes; fds[0] holds
// the data chunks.
//
// Request: a serialized ElfLayout. INVALID_ARGUMENT when there is no symbol to be read.
inline constexpr char kElfTableJob[] = "symbols.elf";
// The same of SYMBOL_DATA_DEBUG_SECTIONS: the table is full, whatever the sections have.
inline constexpr char kDebugTableJob[] = "symbols.debug";
// fds[0] is a serialized KernelTable.
inline constexpr char kKernelTableJob[] = "symbols.kernel";

sandbox::Jobs TableJobs();

}  // namespace stoker::symbolizer
