// Reads any bytes as Go's table of functions. What comes of them is a table that holds together.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "services/collector/ebpf/unwind/elf_rows.h"
#include "services/collector/ebpf/unwind/go_line_table.h"
#include "services/collector/ebpf/unwind/table.h"
#include "services/collector/ebpf/unwind/table_builder.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace stoker::ebpf::unwind;
  const auto go = GoLineTable::Open({reinterpret_cast<const char*>(data), size});
  if (!go) return 0;
  ElfRows rows;
  rows.machine = &kX64;
  rows.text = {.base = 0x400000, .ranges = {{0x1000, 0x20000}}, .bytes = 0x1f000};
  go->AddRows(0x401000, rows.text, rows.rules, rows.rows);
  rows.ranges = rows.rows.ranges;
  Sort(rows.ranges);
  if (!Table::FromBytes(ToBytes(BuildTable(rows))).ok()) std::abort();
  return 0;
}
