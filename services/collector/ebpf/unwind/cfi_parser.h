#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "services/collector/ebpf/unwind/machine.h"
#include "services/collector/ebpf/unwind/row_set.h"
#include "services/collector/ebpf/unwind/rule_set.h"

namespace stoker::ebpf::unwind {

// Call frame information: the bytes of .eh_frame or .debug_frame.
struct CfiSection {
  std::string_view bytes;
  // ELF virtual address of its first byte; of no meaning for .debug_frame.
  std::uint64_t address = 0;
  bool is_debug_frame = false;
  // Whether the section ends where `bytes` end. Else at its terminator, or where it is no longer
  // well formed.
  bool has_known_size = true;
};

// Appends the rows of every function that `section` describes and `text` has; `known`, sorted,
// tells what needs no second description. The form is that of DWARF 2 to 5 and of the Linux
// Standard Base; little-endian, 64-bit addresses. One malformed entry costs itself alone. Runs in
// time linear in the section's size, within the bounds of RowSet.
//
// Returns, as numbers into `rows.ranges`, the functions that are marked as signal frames.
std::vector<std::size_t> ParseCfi(const CfiSection& section, const Machine& machine,
                                  const Text& text, const std::vector<RowRange>& known,
                                  RuleSet& rules, RowSet& rows);

}  // namespace stoker::ebpf::unwind
