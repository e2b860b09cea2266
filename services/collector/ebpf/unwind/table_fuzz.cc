// Reads any bytes as a table's file; the checksum, which would refuse nearly all of them, is made
// to fit.
#include <cstddef>
#include <cstdint>
#include <string>

#include <xxhash.h>

#include "services/collector/ebpf/unwind/table.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace stoker::ebpf::unwind;
  std::string bytes(reinterpret_cast<const char*>(data), size);
  if (size >= sizeof(TableHeader)) {
    auto& header = *reinterpret_cast<TableHeader*>(bytes.data());
    header.magic = kTableMagic;
    header.version = kTableVersion;
    header.file_bytes = size;
    header.checksum = XXH3_64bits(bytes.data() + sizeof header, size - sizeof header);
  }
  const auto table = Table::FromBytes(bytes);
  if (!table.ok()) return 0;
  std::uint64_t sum = 0;
  for (const TablePage& page : (*table)->pages()) {
    const std::uint64_t begin = std::uint64_t{page.number} << STOKER_UNWIND_PAGE_BITS;
    for (std::uint32_t low = 0; low < STOKER_UNWIND_PAGE_BYTES; low += 0x101) {
      sum += (*table)->Lookup(begin + low).cfa;
    }
  }
  return sum == 1 ? 1 : 0;
}
