// Looks addresses up in any bytes taken for a table: whatever its columns say, nothing outside of
// it is read. The checksum is made right, which an attacker could do as well.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include <xxhash.h>

#include "services/symbolizer/table/table.h"
#include "services/symbolizer/table/table_format.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace stoker::symbolizer;
  std::string bytes(reinterpret_cast<const char*>(data), size);
  if (size >= sizeof(TableHeader)) {
    TableHeader header;
    std::memcpy(&header, bytes.data(), sizeof header);
    header.file_bytes = size;
    header.checksum = XXH3_64bits(bytes.data() + sizeof header, size - sizeof header);
    std::memcpy(bytes.data(), &header, sizeof header);
  }
  const auto table = Table::View(bytes);
  if (!table.ok()) return 0;
  std::vector<Table::Frame> frames;
  std::uint64_t address = 0;
  std::memcpy(&address, bytes.data() + 16, sizeof address);
  for (int i = 0; i < 256; ++i, address += 1 + (address & 31)) {
    (*table)->Find(address, frames);
    for (const Table::Frame& frame : frames) {
      (void)(*table)->Text(frame.name);
      (void)(*table)->Path(frame.file);
    }
  }
  return 0;
}
