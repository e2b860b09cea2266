#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace stoker::ebpf {

// Instructions of one line: from `start`, in bytes from the code's first instruction, to the next
// range's start.
struct LineRange {
  std::uint32_t start = 0;
  // 0: the compiler made these instructions without a line.
  std::uint32_t line = 0;
  bool operator==(const LineRange&) const = default;
};

// What a code object's line table says, in ascending order, neighbours of one line taken together;
// at most kMaxLineRanges. `version`: 0x030b is 3.11. Any bytes give some ranges. Sources of the
// formats: Objects/lnotab_notes.txt of CPython 3.8 (co_lnotab) and 3.10 (co_linetable),
// Objects/locations.md of 3.11.
std::vector<LineRange> DecodeLines(std::uint16_t version, std::string_view table,
                                   std::uint32_t first_line);

// The line of an instruction; of one without a line, that of what stands before it. 0: no range has
// one.
std::uint32_t FindLine(std::span<const LineRange> ranges, std::uint32_t instruction);

inline constexpr std::size_t kMaxLineRanges = 65'536;

}  // namespace stoker::ebpf
