#pragma once

#include <cstdint>

namespace stoker::symbolizer {

// A table of one binary: a file that is mapped and searched as it is. Little endian.
//
//   TableHeader | TableSection × section_count | the sections' bytes, each 8-byte aligned
//
// A reader passes over sections whose kind it does not know, so files, lines and inlined functions
// can be added without a new version. A new version means that an old reader must not read it.
struct TableHeader {
  char magic[8];
  std::uint32_t version;
  std::uint32_t section_count;
  // Addresses of functions are offsets from it.
  std::uint64_t base_address;
  std::uint64_t file_bytes;
  // XXH3-64 of all that follows the header.
  std::uint64_t checksum;
};
static_assert(sizeof(TableHeader) == 40);

struct TableSection {
  std::uint32_t kind;
  std::uint32_t entry_bytes;
  std::uint64_t offset;
  std::uint64_t size_bytes;
};
static_assert(sizeof(TableSection) == 24);

inline constexpr char kTableMagic[8] = {'S', 'T', 'O', 'K', 'T', 'A', 'B', '\n'};
inline constexpr std::uint32_t kTableVersion = 1;
inline constexpr std::uint32_t kMaxTableSections = 64;

// Kinds. The first three are parallel: one entry for each range of addresses of a function.
// u32: the range's first address, ascending.
inline constexpr std::uint32_t kTableBegins = 1;
// u32: the address after its last; no more than the next range's first.
inline constexpr std::uint32_t kTableEnds = 2;
// u32: where the function's name begins in the strings.
inline constexpr std::uint32_t kTableNames = 3;
// Names, mangled, each ended by a zero byte.
inline constexpr std::uint32_t kTableStrings = 4;

}  // namespace stoker::symbolizer
