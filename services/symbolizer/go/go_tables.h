#pragma once

#include <cstdint>
#include <string_view>

#include "services/symbolizer/table/code_map.h"

namespace stoker::symbolizer {

// Reads Go's table of functions (.gopclntab, runtime.pcHeader) as Go 1.18 to 1.26 write it:
// functions, files and lines, into `map`. `text` is the address of .text, for tables that do not
// say where the code begins. Of code that was inlined the lines are unknown: which function they
// belong to is told by tables outside this section. False when it is no such table, or malformed;
// what was read until then holds. Source of the format: Go's runtime/symtab.go.
bool ReadGoTables(std::string_view bytes, std::uint64_t text, CodeMap& map);

}  // namespace stoker::symbolizer
