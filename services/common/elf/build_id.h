#pragma once

#include <cstdint>
#include <string>

#include <absl/status/statusor.h>

#include "services/common/elf/byte_source.h"
#include "services/common/elf/elf_file.h"

namespace stoker::elf {

// The bytes of the GNU build id note (NT_GNU_BUILD_ID), looked for in PT_NOTE segments, then in
// SHT_NOTE sections. Empty: the file has none that is well formed.
std::string FindBuildId(const ByteSource& source, const ElfFile& file);

// The GNU build id in notes as /sys/kernel/notes and /sys/module/*/notes/* give them, or empty.
std::string FindBuildIdInNotes(std::string_view notes, std::uint64_t alignment);

// BinaryKey.content_hash: XXH3-64 of the first 64 KiB followed by the last 64 KiB; of the whole
// file when it is no larger than 128 KiB.
absl::StatusOr<std::uint64_t> ContentHash(const ByteSource& source);

}  // namespace stoker::elf
