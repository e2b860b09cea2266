#pragma once

#include <cstdint>

namespace stoker::symbolizer {

// A table of one binary: a file that is mapped and searched as it is. Little endian.
//
//   TableHeader | TableSection × section_count | the sections' bytes, each 8-byte aligned
//
// A reader passes over sections whose kind it does not know. A new version means that an old reader
// must not read it. What it is made of and why: docs/design/0007-symbol-tables.md.
struct TableHeader {
  char magic[8];
  std::uint32_t version;
  std::uint32_t section_count;
  // All addresses are offsets from it.
  std::uint64_t base_address;
  std::uint64_t file_bytes;
  // XXH3-64 of all that follows the header.
  std::uint64_t checksum;
  std::uint32_t flags;
  std::uint32_t reserved;
};
static_assert(sizeof(TableHeader) == 48);

struct TableSection {
  std::uint32_t kind;
  std::uint32_t entry_bytes;
  std::uint64_t offset;
  std::uint64_t size_bytes;
};
static_assert(sizeof(TableSection) == 24);

inline constexpr char kTableMagic[8] = {'S', 'T', 'O', 'K', 'T', 'A', 'B', '\n'};
inline constexpr std::uint32_t kTableVersion = 2;
inline constexpr std::uint32_t kMaxTableSections = 64;

// Flags. The binary's debug information was looked at: no better table is to be had.
inline constexpr std::uint32_t kTableIsFull = 1;

// Kinds. The first three are parallel: one entry for each range of addresses of a symbol.
// u32: the range's first address, ascending.
inline constexpr std::uint32_t kTableBegins = 1;
// u32: the address after its last; no more than the next range's first.
inline constexpr std::uint32_t kTableEnds = 2;
// u32: where the symbol's name begins in the strings.
inline constexpr std::uint32_t kTableNames = 3;
// Names, mangled, and paths, each ended by a zero byte. Offset 0 is the empty string.
inline constexpr std::uint32_t kTableStrings = 4;

// TableFunction, by number; 0 is none.
inline constexpr std::uint32_t kTableFunctions = 5;
// TableFile, by number; 0 is none.
inline constexpr std::uint32_t kTableFiles = 6;
// Scopes: a function, or one place where it was inlined. A scope is known by the offset of its
// bytes; 0 is none. LEB128: how far its parent begins before it (0: it has none), the function's
// number, and of an inlined one the call's file and line.
inline constexpr std::uint32_t kTableScopes = 7;

// Rows tell scope, file and line of ranges of addresses; they stand in blocks, so that finding one
// reads few. Parallel, one entry for each block:
// u32: the block's first address, ascending.
inline constexpr std::uint32_t kTableBlockBegins = 8;
// u32: where its rows begin in kTableRows.
inline constexpr std::uint32_t kTableBlockRows = 9;
// A block: LEB128 of the number of rows, then the first row's scope, file and line, then for each
// further row how it differs from the one before: a byte (bits 0 and 1: another scope, another
// file; the rest: how many addresses the row before has, kRowLongStep: that many more as LEB128),
// the line's difference (signed LEB128), the scope's (signed), the file (LEB128). At the end LEB128
// of how many addresses the last row has.
inline constexpr std::uint32_t kTableRows = 10;
inline constexpr std::uint8_t kRowOtherScope = 1;
inline constexpr std::uint8_t kRowOtherFile = 2;
inline constexpr unsigned kRowStepShift = 2;
inline constexpr std::uint32_t kRowLongStep = 63;
inline constexpr std::uint32_t kMaxBlockRows = 32;

// Where to search. u32 shift, then for each 2^shift addresses how many begins lie before them; one
// more for the end.
inline constexpr std::uint32_t kTableRangeBuckets = 11;
inline constexpr std::uint32_t kTableBlockBuckets = 12;

// Text: what of the debug information could not be used, and why.
inline constexpr std::uint32_t kTableNotes = 13;

struct TableFunction {
  // Offsets in the strings; mangled.
  std::uint32_t name;
  // Where it is declared: a file's number, and a line, 0: unknown.
  std::uint32_t file;
  std::uint32_t line;
};

// A path is folder/name, or name where there is no folder.
struct TableFile {
  // Offsets in the strings.
  std::uint32_t folder;
  std::uint32_t name;
};

}  // namespace stoker::symbolizer
