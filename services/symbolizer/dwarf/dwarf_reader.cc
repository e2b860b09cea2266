#include "services/symbolizer/dwarf/dwarf_reader.h"

#include <memory>

#include <dwarf.h>

#include "services/symbolizer/dwarf/unit_code.h"
#include "services/symbolizer/dwarf/unit_index.h"

namespace stoker::symbolizer::dwarf {

Counts ReadDwarf(const Sections& sections, const std::vector<elf::Section>& elf_sections,
                 CodeMap& map) {
  const CodeRanges code(elf_sections);
  UnitIndex units(sections);
  UnitCode reader(units, code, map);
  Counts counts;
  for (std::size_t i = 0; i < units.size(); ++i) {
    const std::shared_ptr<UnitIndex::Open> open = units.OpenNumber(i);
    ++counts.units;
    if (open == nullptr) {
      ++counts.malformed_units;
    } else if (open->unit.tag() != DW_TAG_partial_unit && !reader.Read(*open)) {
      ++counts.malformed_units;
    }
  }
  counts.scopes = reader.scopes();
  return counts;
}

}  // namespace stoker::symbolizer::dwarf
