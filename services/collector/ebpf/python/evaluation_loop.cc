#include "services/collector/ebpf/python/evaluation_loop.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include <elf.h>

#include "services/collector/ebpf/unwind/elf_rows.h"
#include "services/collector/ebpf/unwind/loaded_bytes.h"

namespace stoker::ebpf {
namespace {

constexpr std::uint64_t kMaxFunctionBytes = std::uint64_t{4} << 20;
constexpr std::size_t kMaxParts = 3;
// Bytes that only look like a jump lead anywhere: seldom twice into one function.
constexpr std::size_t kMinJumps = 2;

// Where the jumps in `code`, which lies at `start`, lead: jmp rel32 (e9) and jcc rel32 (0f 80 to
// 0f 8f). Instructions are not told apart, so what only looks like one is among them.
std::vector<std::uint64_t> JumpTargets(std::string_view code, std::uint64_t start) {
  std::vector<std::uint64_t> targets;
  for (std::size_t at = 0; at + 6 <= code.size(); ++at) {
    const auto byte = static_cast<unsigned char>(code[at]);
    const auto next = static_cast<unsigned char>(code[at + 1]);
    std::size_t size = 0;
    if (byte == 0xe9) size = 5;
    if (byte == 0x0f && next >= 0x80 && next <= 0x8f) size = 6;
    if (size == 0) continue;
    std::int32_t distance = 0;
    std::memcpy(&distance, code.data() + at + size - 4, sizeof distance);
    targets.push_back(start + at + size + static_cast<std::uint64_t>(std::int64_t{distance}));
  }
  return targets;
}

// call *disp32(, register, 8): ff /2 with a SIB byte that has no base.
constexpr std::size_t kTableCallBytes = 7;
std::optional<std::uint32_t> TableOfCall(std::string_view code, std::size_t at) {
  if (at + kTableCallBytes > code.size()) return std::nullopt;
  if (code[at] != '\xff' || code[at + 1] != '\x14') return std::nullopt;
  if ((static_cast<unsigned char>(code[at + 2]) & 0xc7) != 0xc5) return std::nullopt;
  std::uint32_t table = 0;
  std::memcpy(&table, code.data() + at + 3, sizeof table);
  return table;
}

constexpr std::uint64_t kMaxTextBytes = std::uint64_t{256} << 20;
constexpr std::size_t kMaxCalls = 16;

}  // namespace

std::vector<CodeRange> FindLoopCalls(const elf::ByteSource& source, const elf::ElfFile& file,
                                     const CodeRange& function) {
  if (function.bytes > kMaxFunctionBytes) return {};
  const auto code = unwind::ReadLoaded(source, file, function.start, function.bytes);
  if (!code) return {};
  std::optional<std::uint32_t> table;
  for (std::size_t at = 0; at < code->size() && !table; ++at) table = TableOfCall(*code, at);
  if (!table) return {};
  std::vector<CodeRange> calls;
  for (const elf::Segment& segment : file.segments) {
    if (segment.type != PT_LOAD || (segment.flags & PF_X) == 0) continue;
    if (segment.file_size > kMaxTextBytes) return {};
    const auto text = source.Read(segment.offset, segment.file_size);
    if (!text.ok()) return {};
    for (std::size_t at = text->find("\xff\x14"); at != text->npos;
         at = text->find("\xff\x14", at + 1)) {
      if (TableOfCall(*text, at) != table) continue;
      if (calls.size() >= kMaxCalls) return {};
      calls.push_back({segment.address + at, kTableCallBytes});
    }
  }
  std::ranges::sort(calls);
  return calls;
}

std::vector<CodeRange> FindColdParts(const elf::ByteSource& source, const elf::ElfFile& file,
                                     const CodeRange& function) {
  if (function.bytes > kMaxFunctionBytes) return {};
  const auto code = unwind::ReadLoaded(source, file, function.start, function.bytes);
  const auto rows = unwind::ReadElfRows(source);
  if (!code || !rows.ok()) return {};
  // By the number of the function: the distinct places that are jumped to within it.
  std::map<std::size_t, std::set<std::uint64_t>> jumps;
  for (const std::uint64_t target : JumpTargets(*code, function.start)) {
    if (target - function.start < function.bytes || target < rows->text.base) continue;
    const std::uint64_t offset = target - rows->text.base;
    auto after = std::ranges::upper_bound(rows->ranges, offset, {}, &unwind::RowRange::begin);
    if (after == rows->ranges.begin()) continue;
    --after;
    if (offset >= after->end || offset == after->begin) continue;
    jumps[static_cast<std::size_t>(after - rows->ranges.begin())].insert(target);
  }
  std::vector<std::pair<std::size_t, std::size_t>> by_jumps;
  for (const auto& [range, targets] : jumps) {
    if (targets.size() >= kMinJumps) by_jumps.emplace_back(targets.size(), range);
  }
  std::ranges::sort(by_jumps, std::greater());
  if (by_jumps.size() > kMaxParts) by_jumps.resize(kMaxParts);
  std::vector<CodeRange> parts;
  for (const auto& [count, number] : by_jumps) {
    const unwind::RowRange& range = rows->ranges[number];
    parts.push_back({rows->text.base + range.begin, range.end - range.begin});
  }
  return parts;
}

}  // namespace stoker::ebpf
