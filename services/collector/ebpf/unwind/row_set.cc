#include "services/collector/ebpf/unwind/row_set.h"

#include <algorithm>

namespace stoker::ebpf::unwind {

void Sort(std::vector<RowRange>& ranges) {
  if (std::ranges::is_sorted(ranges, {}, &RowRange::begin)) return;
  // Stable without its memory: the rows of a later range come later.
  std::ranges::sort(ranges, [](const RowRange& a, const RowRange& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.first_row < b.first_row;
  });
}

std::vector<RowRange> Merge(const std::vector<RowRange>& primary,
                            const std::vector<RowRange>& secondary) {
  if (primary.empty()) return secondary;
  if (secondary.empty()) return primary;
  std::vector<RowRange> merged;
  merged.reserve(primary.size() + secondary.size());
  std::size_t next = 0;
  std::uint32_t covered = 0;
  const auto take_primary_before = [&](std::uint32_t address) {
    for (; next < primary.size() && primary[next].begin <= address; ++next) {
      merged.push_back(primary[next]);
      covered = std::max(covered, primary[next].end);
    }
  };
  for (RowRange rest : secondary) {
    while (rest.begin < rest.end) {
      take_primary_before(rest.begin);
      if (covered > rest.begin) {
        rest.begin = covered;
        continue;
      }
      RowRange part = rest;
      if (next < primary.size()) part.end = std::min(part.end, primary[next].begin);
      merged.push_back(part);
      covered = std::max(covered, part.end);
      rest.begin = part.end;
    }
  }
  take_primary_before(UINT32_MAX);
  return merged;
}

}  // namespace stoker::ebpf::unwind
