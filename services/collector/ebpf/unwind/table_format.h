#pragma once

#include <cstdint>

#include "bpf/shared/unwind.h"

namespace stoker::ebpf::unwind {

// The unwind table of one binary as a file: made once in the sandbox, kept on disk by binary key,
// mapped by the collector, which copies pages of it to the kernel when they are first needed. All
// numbers little-endian, every part aligned to 8 bytes, in this order:
//
//   TableHeader
//   TablePage[page_count]            ascending by `number`; pages without rows are left out
//   stoker_unwind_rule[rule_count]   what the pages' rules number
//   page bodies                      as bpf/shared/unwind.h says, each at TablePage::offset
//
// `checksum` is XXH3-64 of all bytes after the header. A file that does not hold together is made
// anew, never believed.
inline constexpr std::uint64_t kTableMagic = 0x31'45'4c'42'41'54'57'55;  // "UWTABLE1"
inline constexpr std::uint32_t kTableVersion = 1;

struct TableHeader {
  std::uint64_t magic;
  std::uint32_t version;
  // EM_X86_64 or EM_AARCH64.
  std::uint32_t machine;
  std::uint64_t file_bytes;
  std::uint64_t checksum;
  std::uint32_t page_count;
  std::uint32_t rule_count;
  // What the table was made of, for figures: bytes of executable segments, rows before folding.
  std::uint64_t text_bytes;
  std::uint64_t raw_rows;
};
static_assert(sizeof(TableHeader) == 56);

struct TablePage {
  // The ELF virtual address of its first byte, divided by STOKER_UNWIND_PAGE_BYTES.
  std::uint32_t number;
  std::uint16_t row_count;
  std::uint16_t entry_count;
  // Of its body, from the start of the file.
  std::uint64_t offset;
};
static_assert(sizeof(TablePage) == 16);

}  // namespace stoker::ebpf::unwind
