#include "services/symbolizer/dwarf/unit_code.h"

#include <algorithm>
#include <limits>
#include <optional>

#include <dwarf.h>
#include <elf.h>

namespace stoker::symbolizer::dwarf {
namespace {

constexpr std::size_t kMaxNesting = 4096;
// Of one unit: more are not of a compiler.
constexpr std::size_t kMaxPieces = std::size_t{16} << 20;
constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

// Entries within these are not of code.
bool HasNoCodeWithin(std::uint16_t tag) {
  switch (tag) {
    case DW_TAG_enumeration_type:
    case DW_TAG_subroutine_type:
    case DW_TAG_array_type:
    case DW_TAG_call_site:
    case DW_TAG_GNU_call_site:
      return true;
    default:
      return false;
  }
}

// The entry that we are within.
struct Level {
  // 0: no function.
  std::uint32_t scope = 0;
  std::uint32_t depth = 0;
};

}  // namespace

CodeRanges::CodeRanges(const std::vector<elf::Section>& sections) {
  for (const elf::Section& section : sections) {
    if ((section.flags & SHF_EXECINSTR) == 0 || section.size == 0) continue;
    if (section.size > kNever - section.address) continue;
    ranges_.push_back({section.address, section.address + section.size});
  }
}

bool CodeRanges::Contain(std::uint64_t begin, std::uint64_t end) const {
  return std::any_of(ranges_.begin(), ranges_.end(), [&](const Unit::Range& range) {
    return begin >= range.begin && end <= range.end && begin < end;
  });
}

struct UnitCode::Entry {
  std::optional<std::uint64_t> low;
  Value high;
  Value ranges;
  std::uint64_t call_file = 0;
  std::uint64_t call_line = 0;
};

bool UnitCode::Read(UnitIndex::Open& open) {
  pieces_.clear();
  flat_.clear();
  lines_.clear();
  names_.ForgetUnit();
  const bool whole = ReadEntries(open);
  Flatten();
  if (open.lines.has_value()) open.lines->Run(lines_);
  AddRows(open);
  return whole;
}

bool UnitCode::ReadEntries(UnitIndex::Open& open) {
  const Unit& unit = open.unit;
  const Abbreviations& abbreviations = unit.abbreviations();
  elf::Cursor cursor = unit.At(unit.first_entry());
  std::vector<Level> levels;
  while (!cursor.empty()) {
    const std::uint64_t offset = cursor.position();
    const std::uint64_t code = cursor.Unsigned();
    if (code == 0) {
      if (!levels.empty()) levels.pop_back();
      // After the first entry's end there may be padding.
      if (levels.empty()) break;
      continue;
    }
    const Abbreviations::Shape* shape = abbreviations.Find(code);
    if (shape == nullptr || pieces_.size() > kMaxPieces) return false;
    Level level = levels.empty() ? Level{} : levels.back();
    if (shape->tag == DW_TAG_subprogram) {
      level = {ReadFunction(open, cursor, *shape, offset, 0, 0), 1};
    } else if (shape->tag == DW_TAG_inlined_subroutine && level.scope != 0) {
      level.scope = ReadFunction(open, cursor, *shape, offset, level.scope, level.depth);
      ++level.depth;
    } else {
      const bool skip_children = shape->has_sibling && HasNoCodeWithin(shape->tag);
      std::uint64_t sibling = 0;
      for (const Abbreviations::Attribute& attribute : abbreviations.Attributes(*shape)) {
        if (skip_children && attribute.name == DW_AT_sibling) {
          sibling = unit.Read(cursor, attribute).number;
        } else {
          unit.Skip(cursor, attribute.form);
        }
      }
      if (sibling > cursor.position() && cursor.ok()) {
        cursor.Skip(sibling - cursor.position());
        continue;
      }
    }
    if (!shape->has_children) continue;
    if (levels.size() == kMaxNesting) return false;
    levels.push_back(level);
  }
  return cursor.ok();
}

// Reads a function's entry, and makes a scope of it when it has code.
std::uint32_t UnitCode::ReadFunction(UnitIndex::Open& open, elf::Cursor& cursor,
                                     const Abbreviations::Shape& shape, std::uint64_t offset,
                                     std::uint32_t parent, std::uint32_t depth) {
  const Unit& unit = open.unit;
  Entry entry;
  for (const Abbreviations::Attribute& attribute : unit.abbreviations().Attributes(shape)) {
    switch (attribute.name) {
      case DW_AT_low_pc:
        entry.low = unit.AddressOf(unit.Read(cursor, attribute));
        break;
      case DW_AT_high_pc:
        entry.high = unit.Read(cursor, attribute);
        break;
      case DW_AT_ranges:
        entry.ranges = unit.Read(cursor, attribute);
        break;
      case DW_AT_call_file:
        entry.call_file = unit.Read(cursor, attribute).number;
        break;
      case DW_AT_call_line:
        entry.call_line = unit.Read(cursor, attribute).number;
        break;
      default:
        unit.Skip(cursor, attribute.form);
        break;
    }
  }
  if (!cursor.ok()) return 0;
  ranges_.clear();
  if (entry.ranges.kind != Value::Kind::kNone) {
    unit.AddRanges(entry.ranges, ranges_);
  } else if (entry.low.has_value() && entry.high.kind == Value::Kind::kNumber) {
    ranges_.push_back({*entry.low, *entry.low + entry.high.number});
  } else if (const auto high = unit.AddressOf(entry.high); entry.low && high) {
    ranges_.push_back({*entry.low, *high});
  }
  std::erase_if(
      ranges_, [this](const Unit::Range& range) { return !code_.Contain(range.begin, range.end); });
  if (ranges_.empty()) return 0;
  const std::uint32_t call_file =
      open.lines.has_value() && parent != 0 ? open.lines->File(entry.call_file, map_) : 0;
  const std::uint32_t scope = map_.Scope(parent, names_.Find(offset), call_file,
                                         static_cast<std::uint32_t>(entry.call_line));
  ++scopes_;
  for (const Unit::Range& range : ranges_) {
    pieces_.push_back({range.begin, range.end, depth, scope});
  }
  return scope;
}

// Makes nested pieces disjoint: what encloses others goes on after them.
void UnitCode::Flatten() {
  std::sort(pieces_.begin(), pieces_.end(), [](const Piece& a, const Piece& b) {
    if (a.begin != b.begin) return a.begin < b.begin;
    if (a.depth != b.depth) return a.depth < b.depth;
    return a.end != b.end ? a.end > b.end : a.scope < b.scope;
  });
  std::vector<Piece> open;
  std::uint64_t position = 0;
  const auto emit = [&](std::uint64_t end) {
    if (end <= position) return;
    flat_.push_back({position, end, open.back().depth, open.back().scope});
    position = end;
  };
  const auto close_up_to = [&](std::uint64_t address) {
    while (!open.empty() && open.back().end <= address) {
      emit(open.back().end);
      open.pop_back();
    }
  };
  for (Piece piece : pieces_) {
    close_up_to(piece.begin);
    if (!open.empty()) {
      emit(piece.begin);
      // What is inlined ends where it was called.
      piece.end = std::min(piece.end, open.back().end);
    }
    position = std::max(position, piece.begin);
    open.push_back(piece);
  }
  close_up_to(kNever);
}

// Lays functions and lines over each other.
void UnitCode::AddRows(UnitIndex::Open& open) {
  std::erase_if(lines_,
                [this](const LineProgram::Row& row) { return !code_.Contain(row.begin, row.end); });
  std::stable_sort(lines_.begin(), lines_.end(),
                   [](const auto& a, const auto& b) { return a.begin < b.begin; });
  std::size_t i = 0;
  std::size_t j = 0;
  std::uint64_t at = 0;
  while (i < lines_.size() || j < flat_.size()) {
    const std::uint64_t next_line = i < lines_.size() ? std::max(lines_[i].begin, at) : kNever;
    const std::uint64_t next_scope = j < flat_.size() ? std::max(flat_[j].begin, at) : kNever;
    at = std::min(next_line, next_scope);
    const bool has_line = next_line == at && lines_[i].end > at;
    const bool has_scope = next_scope == at && flat_[j].end > at;
    std::uint64_t end = kNever;
    // A line that another one follows early ends there.
    if (has_line) end = std::min(end, lines_[i].end);
    if (has_scope) end = std::min(end, flat_[j].end);
    if (next_line > at) end = std::min(end, next_line);
    if (next_scope > at) end = std::min(end, next_scope);
    if (has_line || has_scope) {
      const std::uint32_t file =
          has_line && open.lines.has_value() ? open.lines->File(lines_[i].file, map_) : 0;
      map_.AddRow(at, end, has_scope ? flat_[j].scope : 0, file, has_line ? lines_[i].line : 0);
      at = end;
    }
    while (i < lines_.size() && lines_[i].end <= at) ++i;
    while (j < flat_.size() && flat_[j].end <= at) ++j;
  }
}

}  // namespace stoker::symbolizer::dwarf
