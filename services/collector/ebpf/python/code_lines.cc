#include "services/collector/ebpf/python/code_lines.h"

#include <algorithm>
#include <limits>

namespace stoker::ebpf {
namespace {

// Ranges as they come, each from where the one before ended.
class Ranges {
 public:
  explicit Ranges(std::uint32_t first_line) : line_(first_line) {}

  [[nodiscard]] bool full() const { return ranges_.size() >= kMaxLineRanges; }
  void Move(std::int64_t lines) { line_ += lines; }

  void Add(std::uint32_t bytes, bool has_line) {
    if (bytes == 0) return;
    const std::uint32_t line =
        has_line && line_ > 0 && line_ <= kMaxLine ? static_cast<std::uint32_t>(line_) : 0;
    if (ranges_.empty() || ranges_.back().line != line) ranges_.push_back({end_, line});
    end_ += bytes;
  }

  std::vector<LineRange> Take() { return std::move(ranges_); }

 private:
  static constexpr std::int64_t kMaxLine = std::numeric_limits<std::int32_t>::max();

  std::vector<LineRange> ranges_;
  std::uint32_t end_ = 0;
  std::int64_t line_ = 0;
};

std::uint8_t Unsigned(char byte) { return static_cast<std::uint8_t>(byte); }
std::int8_t Signed(char byte) { return static_cast<std::int8_t>(byte); }

// Pairs: so many bytes of the current line, then so many lines on. The last line has no end.
std::vector<LineRange> DecodeLnotab(std::string_view table, std::uint32_t first_line) {
  Ranges ranges(first_line);
  for (; table.size() >= 2 && !ranges.full(); table.remove_prefix(2)) {
    ranges.Add(Unsigned(table[0]), true);
    ranges.Move(Signed(table[1]));
  }
  ranges.Add(1, true);
  return ranges.Take();
}

// Pairs: so many lines on, or none; of that line so many bytes.
std::vector<LineRange> DecodeLinetable(std::string_view table, std::uint32_t first_line) {
  constexpr std::int8_t kNoLine = -128;
  Ranges ranges(first_line);
  for (; table.size() >= 2 && !ranges.full(); table.remove_prefix(2)) {
    const std::int8_t lines = Signed(table[1]);
    if (lines != kNoLine) ranges.Move(lines);
    ranges.Add(Unsigned(table[0]), lines != kNoLine);
  }
  return ranges.Take();
}

// Of six bits each, the lowest first; the sign is the lowest bit. 0 past the end.
std::int64_t SignedVarint(std::string_view bytes) {
  constexpr int kMaxShift = 30;
  std::uint64_t value = 0;
  for (int shift = 0; !bytes.empty() && shift <= kMaxShift; shift += 6) {
    const std::uint8_t byte = Unsigned(bytes[0]);
    value |= std::uint64_t{byte & 0x3fu} << shift;
    if ((byte & 0x40) == 0) break;
    bytes.remove_prefix(1);
  }
  const auto size = static_cast<std::int64_t>(value >> 1);
  return (value & 1) != 0 ? -size : size;
}

// Entries begin with a byte whose highest bit is set: in bits 3 to 6 the kind, in 0 to 2 the number
// of instructions of two bytes, less one. What follows has the highest bit clear.
std::vector<LineRange> DecodeLocations(std::string_view table, std::uint32_t first_line) {
  enum Kind { kOneLineFirst = 10, kOneLineLast = 12, kNoColumns = 13, kLong = 14, kNone = 15 };
  Ranges ranges(first_line);
  const auto is_start = [](char byte) { return (Unsigned(byte) & 0x80) != 0; };
  while (!table.empty() && !ranges.full()) {
    const std::uint8_t head = Unsigned(table[0]);
    table.remove_prefix(1);
    const auto next = std::ranges::find_if(table, is_start) - table.begin();
    const std::string_view rest = table.substr(0, static_cast<std::size_t>(next));
    table.remove_prefix(static_cast<std::size_t>(next));
    const int kind = head >> 3 & 15;
    if (kind >= kOneLineFirst && kind <= kOneLineLast) ranges.Move(kind - kOneLineFirst);
    if (kind == kNoColumns || kind == kLong) ranges.Move(SignedVarint(rest));
    ranges.Add(2 * ((head & 7u) + 1), kind != kNone);
  }
  return ranges.Take();
}

}  // namespace

std::vector<LineRange> DecodeLines(std::uint16_t version, std::string_view table,
                                   std::uint32_t first_line) {
  if (version < 0x030a) return DecodeLnotab(table, first_line);
  if (version == 0x030a) return DecodeLinetable(table, first_line);
  return DecodeLocations(table, first_line);
}

std::uint32_t FindLine(std::span<const LineRange> ranges, std::uint32_t instruction) {
  auto range = std::ranges::upper_bound(ranges, instruction, {}, &LineRange::start);
  while (range != ranges.begin()) {
    --range;
    if (range->line != 0) return range->line;
  }
  return 0;
}

}  // namespace stoker::ebpf
