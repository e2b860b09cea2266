// Reads any bytes as call frame information, of both kinds and both machines. What comes of them is
// a table that holds together.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "services/collector/ebpf/unwind/cfi_parser.h"
#include "services/collector/ebpf/unwind/elf_rows.h"
#include "services/collector/ebpf/unwind/table.h"
#include "services/collector/ebpf/unwind/table_builder.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace stoker::ebpf::unwind;
  if (size < 1) return 0;
  // The first byte chooses.
  const CfiSection section = {.bytes = {reinterpret_cast<const char*>(data + 1), size - 1},
                              .address = 0x10000,
                              .is_debug_frame = (data[0] & 1) != 0,
                              .has_known_size = (data[0] & 2) == 0};
  ElfRows rows;
  rows.machine = (data[0] & 4) == 0 ? &kX64 : &kAarch64;
  rows.text = {.base = 0x400000, .ranges = {{0x1000, 0x20000}}, .bytes = 0x1f000};
  ParseCfi(section, *rows.machine, rows.text, {}, rows.rules, rows.rows);
  rows.ranges = rows.rows.ranges;
  Sort(rows.ranges);
  const auto table = Table::FromBytes(ToBytes(BuildTable(rows)));
  if (!table.ok()) std::abort();
  for (std::uint64_t address = 0x400000; address < 0x430000; address += 0x123) {
    (void)(*table)->Lookup(address);
  }
  return 0;
}
