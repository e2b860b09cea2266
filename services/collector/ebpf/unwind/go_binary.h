#pragma once

#include <cstdint>
#include <string>

#include <absl/status/statusor.h>

#include "services/collector/ebpf/unwind/row_set.h"
#include "services/common/elf/byte_source.h"
#include "services/common/elf/elf_file.h"

namespace stoker::ebpf::unwind {

// Go's table of functions as it lies in a file.
struct GoTableBytes {
  // From the table's header to the end of its section; empty: the file has none.
  std::string bytes;
  // runtime.text, from which its addresses count; 0 where they are absolute or it was not found.
  std::uint64_t text_start = 0;
};

// Finds the table in section .gopclntab or, of a program that Go built but another linker linked,
// within the sections of constants. RESOURCE_EXHAUSTED past `max_bytes`.
absl::StatusOr<GoTableBytes> FindGoTable(const elf::ByteSource& source, const elf::ElfFile& file,
                                         const Text& text, std::uint64_t max_bytes);

}  // namespace stoker::ebpf::unwind
