#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "services/common/elf/byte_source.h"
#include "services/common/elf/elf_file.h"

namespace stoker::ebpf::unwind {

// The segment that loads `address` from the file, or nullptr.
const elf::Segment* FindLoadSegment(const elf::ElfFile& file, std::uint64_t address);

// The `size` bytes that the file has loaded at `address`; nothing where it has not all of them.
std::optional<std::string> ReadLoaded(const elf::ByteSource& source, const elf::ElfFile& file,
                                      std::uint64_t address, std::uint64_t size);

}  // namespace stoker::ebpf::unwind
