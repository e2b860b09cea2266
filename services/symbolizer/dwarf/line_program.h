#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "services/symbolizer/dwarf/unit.h"
#include "services/symbolizer/table/code_map.h"

namespace stoker::symbolizer::dwarf {

// A unit's line number program (DWARF 5, 6.2): its files, and which line of which has an address.
// Borrows the unit.
class LineProgram {
 public:
  // Reads the header. Nothing when the unit has no program, or it is malformed.
  static std::optional<LineProgram> Open(const Unit& unit);

  // The number in `map` of a file of the program; 0 when there is none.
  std::uint32_t File(std::uint64_t number, CodeMap& map);

  struct Row {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    // Of the program: for File.
    std::uint32_t file = 0;
    std::uint32_t line = 0;
  };
  // Appends the rows, each sequence ascending. What a sequence has of addresses twice stands once,
  // as the last row says.
  void Run(std::vector<Row>& rows) const;

 private:
  struct FileName {
    std::uint64_t folder = 0;
    std::string_view name;
    // In the map; kUnknown: not asked for.
    std::uint32_t number = kUnknown;
  };
  static constexpr std::uint32_t kUnknown = UINT32_MAX;

  explicit LineProgram(const Unit& unit) : unit_(&unit) {}
  bool ReadHeader(std::uint64_t offset);
  bool ReadNamesV4(elf::Cursor& cursor);
  bool ReadNamesV5(elf::Cursor& cursor);
  [[nodiscard]] std::string FolderOf(std::uint64_t number) const;

  const Unit* unit_;
  Encoding encoding_;
  std::uint8_t instruction_bytes_ = 1;
  std::int8_t line_base_ = 0;
  std::uint8_t line_range_ = 1;
  std::uint8_t opcode_base_ = 1;
  std::string_view opcode_lengths_;
  std::vector<std::string_view> folders_;
  std::vector<FileName> files_;
  std::string_view code_;
};

}  // namespace stoker::symbolizer::dwarf
