#pragma once

#include <cstdint>
#include <string>

#include <absl/status/statusor.h>

#include "services/common/elf/byte_source.h"
#include "services/common/elf/elf_file.h"

namespace stoker::ebpf::unwind {

// The bytes of a section of a 64-bit file, inflated where it is compressed (SHF_COMPRESSED by zlib
// or zstd). RESOURCE_EXHAUSTED where they are more than `max_bytes`, or more than 64 times what is
// stored; INVALID_ARGUMENT where they are not what their header says.
absl::StatusOr<std::string> ReadDebugSection(const elf::ByteSource& source,
                                             const elf::Section& section, std::uint64_t max_bytes);

}  // namespace stoker::ebpf::unwind
