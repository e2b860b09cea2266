#include "services/collector/ebpf/unwind/loaded_bytes.h"

#include <utility>

#include <elf.h>

namespace stoker::ebpf::unwind {

const elf::Segment* FindLoadSegment(const elf::ElfFile& file, std::uint64_t address) {
  for (const elf::Segment& segment : file.segments) {
    if (segment.type == PT_LOAD && address >= segment.address &&
        address - segment.address < segment.file_size) {
      return &segment;
    }
  }
  return nullptr;
}

std::optional<std::string> ReadLoaded(const elf::ByteSource& source, const elf::ElfFile& file,
                                      std::uint64_t address, std::uint64_t size) {
  const elf::Segment* const segment = FindLoadSegment(file, address);
  if (segment == nullptr || size > segment->file_size - (address - segment->address)) {
    return std::nullopt;
  }
  auto bytes = source.Read(segment->offset + (address - segment->address), size);
  if (!bytes.ok()) return std::nullopt;
  return *std::move(bytes);
}

}  // namespace stoker::ebpf::unwind
