#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "services/collector/ebpf/unwind/rule_set.h"

namespace stoker::ebpf::unwind {

// Addresses [begin, end), counted from the first byte of the text.
struct TextRange {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
};

// The executable bytes of a file, by ELF virtual address. Ranges ascend and are disjoint.
struct Text {
  // Of `ranges`' numbers; a multiple of STOKER_UNWIND_PAGE_BYTES.
  std::uint64_t base = 0;
  std::vector<TextRange> ranges;
  std::uint64_t bytes = 0;

  // Whether [begin, end), ELF virtual addresses, lies in one range and is not empty.
  [[nodiscard]] bool Contains(std::uint64_t begin, std::uint64_t end) const {
    if (begin < base || end <= begin) return false;
    for (const TextRange& range : ranges) {
      if (begin - base >= range.begin && end - base <= range.end) return true;
    }
    return false;
  }
};

// From `offset` on, counted as TextRange, `rule` holds.
struct Row {
  std::uint32_t offset = 0;
  RuleId rule = RuleSet::kNone;
};

// A function with its rows: [first_row, first_row + row_count) of RowSet::rows, ascending, none
// before `begin`. What precedes the first row has no rule.
struct RowRange {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  std::uint32_t first_row = 0;
  std::uint32_t row_count = 0;
};

// What a parser found of functions, in its order. Where two overlap, the one that begins later
// counts from there on. Grows by what is appended alone; nothing is allocated for a function.
struct RowSet {
  static constexpr std::size_t kMaxRows = std::size_t{32} << 20;
  static constexpr std::size_t kMaxRanges = std::size_t{8} << 20;

  std::vector<Row> rows;
  std::vector<RowRange> ranges;
  // Rows as described, before equal neighbours were joined.
  std::uint64_t raw_rows = 0;
  // Functions whose description is malformed or needs what no rule can say in any row.
  std::uint64_t malformed = 0;
  // Set when the bounds were reached; what came after is missing.
  bool overflow = false;

  [[nodiscard]] bool Full() const { return rows.size() >= kMaxRows || ranges.size() >= kMaxRanges; }
};

// Sorts the ranges by their begin, unless they are.
void Sort(std::vector<RowRange>& ranges);

// `primary` with the parts of `secondary` that it does not cover. Both sorted, of the same rows.
std::vector<RowRange> Merge(const std::vector<RowRange>& primary,
                            const std::vector<RowRange>& secondary);

}  // namespace stoker::ebpf::unwind
