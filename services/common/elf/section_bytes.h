#pragma once

#include <cstdint>
#include <string>

#include <absl/status/statusor.h>

#include "services/common/elf/byte_source.h"
#include "services/common/elf/elf_file.h"

namespace stoker::elf {

// The bytes of a section, inflated where it is compressed: SHF_COMPRESSED (zlib, zstd), or by its
// name, `.zdebug_…` (zlib). The stored bytes are never in memory as a whole. RESOURCE_EXHAUSTED
// where they would be more than `max_bytes`; INVALID_ARGUMENT where they are not what their header
// says.
absl::StatusOr<std::string> ReadSectionBytes(const ByteSource& source, const Section& section,
                                             std::uint8_t elf_class, std::uint64_t max_bytes);

}  // namespace stoker::elf
