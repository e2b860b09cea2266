// Reads any bytes as an ELF file to unwind: sections found, inflated, parsed, merged. What comes of
// them is a table that holds together.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "services/collector/ebpf/unwind/elf_rows.h"
#include "services/collector/ebpf/unwind/table.h"
#include "services/collector/ebpf/unwind/table_builder.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace stoker::ebpf::unwind;
  const stoker::elf::MemorySource source({reinterpret_cast<const char*>(data), size});
  const auto rows = ReadElfRows(source);
  if (!rows.ok()) return 0;
  if (!Table::FromBytes(ToBytes(BuildTable(*rows))).ok()) std::abort();
  return 0;
}
