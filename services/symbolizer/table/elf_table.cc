#include "services/symbolizer/table/elf_table.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "services/common/base/status.h"
#include "services/common/elf/function_ranges.h"
#include "services/common/elf/section_bytes.h"
#include "services/common/elf/symbols.h"
#include "services/common/elf/xz.h"
#include "services/symbolizer/dwarf/dwarf_reader.h"
#include "services/symbolizer/go/go_tables.h"
#include "services/symbolizer/table/code_map.h"
#include "services/symbolizer/table/table_format.h"
#include "services/symbolizer/table/table_writer.h"

namespace stoker::symbolizer {
namespace {

// All sections of one file together, inflated.
constexpr std::uint64_t kMaxDebugBytes = std::uint64_t{2} << 30;
constexpr std::uint64_t kMaxMiniBytes = std::uint64_t{256} << 20;

// Reads a file's debug sections by their names.
class DebugSections {
 public:
  DebugSections(const elf::ByteSource& source, const std::vector<elf::Section>& sections,
                std::uint8_t elf_class)
      : source_(source), sections_(sections), elf_class_(elf_class) {}

  [[nodiscard]] bool Has(std::string_view name) const { return Find(name) != nullptr; }

  // `name` without its dot, as in "debug_info". Empty where the file has none.
  absl::StatusOr<std::string> Read(std::string_view name) {
    const elf::Section* section = Find(name);
    if (section == nullptr) return std::string();
    STOKER_ASSIGN_OR_RETURN(std::string bytes,
                            elf::ReadSectionBytes(source_, *section, elf_class_, left_bytes_));
    left_bytes_ -= bytes.size();
    return bytes;
  }

 private:
  [[nodiscard]] const elf::Section* Find(std::string_view name) const {
    const auto found = std::ranges::find_if(sections_, [name](const elf::Section& section) {
      const std::string_view has = section.name;
      return section.has_data &&
             (has == fmt::format(".{}", name) || has == fmt::format(".z{}", name));
    });
    return found == sections_.end() ? nullptr : &*found;
  }

  const elf::ByteSource& source_;
  const std::vector<elf::Section>& sections_;
  const std::uint8_t elf_class_;
  std::uint64_t left_bytes_ = kMaxDebugBytes;
};

absl::Status AddDwarf(DebugSections& debug, const std::vector<elf::Section>& sections, CodeMap& map,
                      std::string& notes) {
  STOKER_ASSIGN_OR_RETURN(const std::string info, debug.Read("debug_info"));
  STOKER_ASSIGN_OR_RETURN(const std::string abbrev, debug.Read("debug_abbrev"));
  STOKER_ASSIGN_OR_RETURN(const std::string line, debug.Read("debug_line"));
  STOKER_ASSIGN_OR_RETURN(const std::string str, debug.Read("debug_str"));
  STOKER_ASSIGN_OR_RETURN(const std::string line_str, debug.Read("debug_line_str"));
  STOKER_ASSIGN_OR_RETURN(const std::string ranges, debug.Read("debug_ranges"));
  STOKER_ASSIGN_OR_RETURN(const std::string rnglists, debug.Read("debug_rnglists"));
  STOKER_ASSIGN_OR_RETURN(const std::string addr, debug.Read("debug_addr"));
  STOKER_ASSIGN_OR_RETURN(const std::string str_offsets, debug.Read("debug_str_offsets"));
  const dwarf::Counts counts = dwarf::ReadDwarf({.info = info,
                                                 .abbrev = abbrev,
                                                 .line = line,
                                                 .str = str,
                                                 .line_str = line_str,
                                                 .ranges = ranges,
                                                 .rnglists = rnglists,
                                                 .addr = addr,
                                                 .str_offsets = str_offsets},
                                                sections, map);
  if (counts.malformed_units > 0) {
    notes += fmt::format("{} of {} units of DWARF cannot be read; ", counts.malformed_units,
                         counts.units);
  }
  return absl::OkStatus();
}

absl::Status AddGoTables(DebugSections& debug, const std::vector<elf::Section>& sections,
                         CodeMap& map, std::string& notes) {
  STOKER_ASSIGN_OR_RETURN(const std::string bytes, debug.Read("gopclntab"));
  const auto text = std::ranges::find(sections, ".text", &elf::Section::name);
  if (!ReadGoTables(bytes, text == sections.end() ? 0 : text->address, map)) {
    notes += ".gopclntab cannot be read as a whole; ";
  }
  return absl::OkStatus();
}

// .gnu_debugdata is an ELF file of its own, with the symbols that .dynsym lacks.
absl::Status ReadMiniDebugData(DebugSections& debug, std::string& file, elf::SymbolList& list) {
  STOKER_ASSIGN_OR_RETURN(const std::string packed, debug.Read("gnu_debugdata"));
  STOKER_ASSIGN_OR_RETURN(file, elf::InflateXz(packed, kMaxMiniBytes));
  const elf::MemorySource source(file);
  STOKER_ASSIGN_OR_RETURN(const elf::ElfFile headers, elf::ReadElfFile(source));
  STOKER_ASSIGN_OR_RETURN(list, elf::ReadSymbols(source, headers.sections, headers.elf_class));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> MakeElfTable(const elf::ByteSource& source,
                                         const std::vector<elf::Section>& sections,
                                         std::uint8_t elf_class, std::uint32_t flags) {
  STOKER_ASSIGN_OR_RETURN(elf::SymbolList list, elf::ReadSymbols(source, sections, elf_class));
  DebugSections debug(source, sections, elf_class);
  // What the names of its symbols point into.
  std::string mini_file;
  elf::SymbolList mini_list;
  CodeMap map;
  std::string notes;
  if (debug.Has("gnu_debugdata")) {
    const absl::Status status = ReadMiniDebugData(debug, mini_file, mini_list);
    if (!status.ok()) notes += fmt::format(".gnu_debugdata: {}; ", Message(status));
    list.symbols.insert(list.symbols.end(), mini_list.symbols.begin(), mini_list.symbols.end());
  }
  const bool has_dwarf = debug.Has("debug_info");
  if (has_dwarf) {
    const absl::Status status = AddDwarf(debug, sections, map, notes);
    if (!status.ok()) notes += fmt::format("DWARF: {}; ", Message(status));
  }
  // Go's own tables say less than its DWARF.
  if (!has_dwarf && debug.Has("gopclntab")) {
    const absl::Status status = AddGoTables(debug, sections, map, notes);
    if (!status.ok()) notes += fmt::format(".gopclntab: {}; ", Message(status));
  }
  map.Finish();
  if (list.symbols.empty() && map.blocks().empty()) {
    return InvalidArgument("no symbol of a function");
  }
  return WriteTable(elf::ToFunctionRanges(std::move(list.symbols), sections), map, flags, notes);
}

}  // namespace stoker::symbolizer
