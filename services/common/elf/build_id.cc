#include "services/common/elf/build_id.h"

#include <cstring>
#include <string_view>

#include <elf.h>
#include <xxhash.h>

#include "services/common/base/status.h"

namespace stoker::elf {
namespace {

constexpr std::uint64_t kMaxNoteBytes = std::uint64_t{1} << 20;
// SHA-1 has 20; linkers let users give up to some dozens.
constexpr std::size_t kMaxBuildIdBytes = 64;
constexpr std::uint64_t kHashedBytes = std::uint64_t{64} << 10;

std::uint64_t AlignUp(std::uint64_t value, std::uint64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

std::string ReadBuildId(const ByteSource& source, std::uint64_t offset, std::uint64_t size,
                        std::uint64_t alignment) {
  if (size > kMaxNoteBytes) return {};
  const absl::StatusOr<std::string> notes = source.Read(offset, size);
  return notes.ok() ? FindBuildIdInNotes(*notes, alignment) : std::string();
}

}  // namespace

std::string FindBuildIdInNotes(std::string_view notes, std::uint64_t alignment) {
  // Notes are aligned to 4 bytes, but for those of segments that say 8 (gABI, GNU properties).
  if (alignment != 8) alignment = 4;
  while (notes.size() >= sizeof(Elf64_Nhdr)) {
    Elf64_Nhdr header;
    std::memcpy(&header, notes.data(), sizeof header);
    const std::uint64_t content =
        AlignUp(sizeof header + std::uint64_t{header.n_namesz}, alignment);
    const std::uint64_t end = content + header.n_descsz;
    if (end > notes.size()) return {};
    const std::string_view name = notes.substr(sizeof header, header.n_namesz);
    if (header.n_type == NT_GNU_BUILD_ID && name == std::string_view("GNU\0", 4) &&
        header.n_descsz <= kMaxBuildIdBytes) {
      return std::string(notes.substr(content, header.n_descsz));
    }
    notes.remove_prefix(std::min<std::uint64_t>(AlignUp(end, alignment), notes.size()));
  }
  return {};
}

std::string FindBuildId(const ByteSource& source, const ElfFile& file) {
  for (const Segment& segment : file.segments) {
    if (segment.type != PT_NOTE) continue;
    std::string id = ReadBuildId(source, segment.offset, segment.file_size, segment.alignment);
    if (!id.empty()) return id;
  }
  for (const Section& section : file.sections) {
    if (section.type != SHT_NOTE || !section.has_data) continue;
    std::string id = ReadBuildId(source, section.offset, section.size, 4);
    if (!id.empty()) return id;
  }
  return {};
}

absl::StatusOr<std::uint64_t> ContentHash(const ByteSource& source) {
  const std::uint64_t size = source.size();
  if (size <= 2 * kHashedBytes) {
    STOKER_ASSIGN_OR_RETURN(const std::string whole, source.Read(0, size));
    return XXH3_64bits(whole.data(), whole.size());
  }
  STOKER_ASSIGN_OR_RETURN(std::string ends, source.Read(0, kHashedBytes));
  STOKER_ASSIGN_OR_RETURN(const std::string tail, source.Read(size - kHashedBytes, kHashedBytes));
  ends += tail;
  return XXH3_64bits(ends.data(), ends.size());
}

}  // namespace stoker::elf
