// Reads any bytes as an ELF file: headers, notes, symbols and their ranges.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "services/common/elf/elf_file.h"
#include "services/common/elf/function_ranges.h"
#include "services/common/elf/inspect.h"
#include "services/common/elf/symbols.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace stoker::elf;
  const MemorySource source({reinterpret_cast<const char*>(data), size});
  const auto inspection = Inspect(source);
  if (inspection.ok()) (void)ElfAddress(*inspection, 0x1000, 0, 0x1800);
  const auto file = ReadElfFile(source);
  if (!file.ok()) return 0;
  auto list = ReadSymbols(source, file->sections, file->elf_class);
  if (!list.ok()) return 0;
  std::uint64_t last = 0;
  for (const FunctionRange& range : ToFunctionRanges(std::move(list->symbols), file->sections)) {
    // Ascending, disjoint, not empty.
    if (range.begin < last || range.end <= range.begin) std::abort();
    last = range.end;
  }
  return 0;
}
