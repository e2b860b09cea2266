#include "services/collector/ebpf/unwind/undescribed_code.h"

#include <algorithm>
#include <string>

#include "services/collector/ebpf/unwind/loaded_bytes.h"

namespace stoker::ebpf::unwind {
namespace {

constexpr std::uint64_t kMaxReadBytes = std::uint64_t{4} << 20;
// The entry code of C libraries is shorter; it calls what never returns.
constexpr std::uint32_t kEntryBytes = 96;

// The parts of the text that no range covers.
std::vector<TextRange> Gaps(const Text& text, const std::vector<RowRange>& known) {
  std::vector<TextRange> gaps;
  std::size_t next = 0;
  for (const TextRange& whole : text.ranges) {
    std::uint32_t at = whole.begin;
    for (; next < known.size() && known[next].begin < whole.end; ++next) {
      if (known[next].begin > at) gaps.push_back({at, known[next].begin});
      at = std::max(at, known[next].end);
    }
    if (at < whole.end) gaps.push_back({at, whole.end});
  }
  return gaps;
}

void Add(TextRange range, RuleId rule, RowSet& rows) {
  rows.ranges.push_back({.begin = range.begin,
                         .end = range.end,
                         .first_row = static_cast<std::uint32_t>(rows.rows.size()),
                         .row_count = 1});
  rows.rows.push_back({range.begin, rule});
  ++rows.raw_rows;
}

void AddSigreturns(std::string_view code, std::uint32_t begin, RuleId signal, RowSet& rows) {
  for (std::size_t at = code.find(kSigreturnCode); at != std::string_view::npos;
       at = code.find(kSigreturnCode, at + kSigreturnCode.size())) {
    if (rows.Full()) return;
    const auto first = static_cast<std::uint32_t>(begin + at);
    const auto end = static_cast<std::uint32_t>(first + kSigreturnCode.size());
    // Return addresses are looked up one byte before.
    Add({first > 0 ? first - 1 : first, end}, signal, rows);
  }
}

}  // namespace

void AddUndescribedCode(const elf::ByteSource& source, const elf::ElfFile& file, const Text& text,
                        const std::vector<RowRange>& known, RuleSet& rules, RowSet& rows) {
  const RuleId signal = rules.Intern({.cfa = STOKER_CFA_SIGNAL});
  std::uint64_t may_read = kMaxReadBytes;
  for (const TextRange& gap : Gaps(text, known)) {
    if (rows.Full()) return;
    const std::uint64_t begin = text.base + gap.begin;
    const std::uint32_t size = gap.end - gap.begin;
    if (file.entry >= begin && file.entry - begin < size) {
      const auto entry = static_cast<std::uint32_t>(file.entry - text.base);
      Add({entry, std::min(gap.end, entry + kEntryBytes)}, rules.Intern({.cfa = STOKER_CFA_END}),
          rows);
    }
    if (size < kSigreturnCode.size() || size > may_read) continue;
    may_read -= size;
    if (const auto code = ReadLoaded(source, file, begin, size)) {
      AddSigreturns(*code, gap.begin, signal, rows);
    }
  }
}

}  // namespace stoker::ebpf::unwind
