#include "services/common/elf/elf_file.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include <elf.h>

#include "services/common/base/status.h"

namespace stoker::elf {
namespace {

constexpr std::uint64_t kMaxNameTableBytes = std::uint64_t{16} << 20;

// The structures of a class. Values are read as they stand: the machine and the file are both
// little endian.
struct Layout32 {
  using Header = Elf32_Ehdr;
  using SectionHeader = Elf32_Shdr;
  using ProgramHeader = Elf32_Phdr;
};
struct Layout64 {
  using Header = Elf64_Ehdr;
  using SectionHeader = Elf64_Shdr;
  using ProgramHeader = Elf64_Phdr;
};

template <typename T>
absl::StatusOr<T> ReadStruct(const ByteSource& source, std::uint64_t offset) {
  static_assert(std::is_trivially_copyable_v<T>);
  T value;
  STOKER_RETURN_IF_ERROR(source.ReadAt(offset, {reinterpret_cast<char*>(&value), sizeof value}));
  return value;
}

// `count` structures that stand `stride` bytes apart.
template <typename T>
absl::StatusOr<std::vector<T>> ReadTable(const ByteSource& source, std::uint64_t offset,
                                         std::uint64_t count, std::uint64_t stride,
                                         std::string_view what) {
  if (count == 0) return std::vector<T>{};
  if (stride < sizeof(T)) return InvalidArgument("{} of {} bytes are too small", what, stride);
  if (!source.Contains(offset, count * stride)) {
    return InvalidArgument("{} {} at offset {} lie past the file's end", count, what, offset);
  }
  STOKER_ASSIGN_OR_RETURN(const std::string bytes, source.Read(offset, count * stride));
  std::vector<T> table(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    std::memcpy(&table[i], bytes.data() + i * stride, sizeof(T));
  }
  return table;
}

// Counts that do not fit the file header stand in section 0.
struct Counts {
  std::uint64_t sections = 0;
  std::uint64_t segments = 0;
  std::uint64_t names = 0;
};

template <typename Layout>
absl::StatusOr<Counts> ReadCounts(const ByteSource& source, const typename Layout::Header& header) {
  Counts counts = {header.e_shnum, header.e_phnum, header.e_shstrndx};
  const bool extended = header.e_shoff != 0 && (header.e_shnum == 0 || header.e_phnum == PN_XNUM ||
                                                header.e_shstrndx == SHN_XINDEX);
  if (extended) {
    using First = typename Layout::SectionHeader;
    STOKER_ASSIGN_OR_RETURN(const First first, ReadStruct<First>(source, header.e_shoff));
    if (header.e_shnum == 0) counts.sections = first.sh_size;
    if (header.e_phnum == PN_XNUM) counts.segments = first.sh_info;
    if (header.e_shstrndx == SHN_XINDEX) counts.names = first.sh_link;
  }
  if (header.e_shoff == 0) counts.sections = 0;
  if (counts.sections > kMaxSections) {
    return InvalidArgument("{} sections where {} are allowed", counts.sections, kMaxSections);
  }
  if (counts.segments > kMaxSegments) {
    return InvalidArgument("{} segments where {} are allowed", counts.segments, kMaxSegments);
  }
  return counts;
}

template <typename SectionHeader>
Section ToSection(const ByteSource& source, const SectionHeader& header) {
  Section section = {.type = header.sh_type,
                     .flags = header.sh_flags,
                     .address = header.sh_addr,
                     .offset = header.sh_offset,
                     .size = header.sh_size,
                     .link = header.sh_link,
                     .info = header.sh_info,
                     .entry_size = header.sh_entsize};
  section.has_data = section.type != SHT_NOBITS && section.type != SHT_NULL &&
                     source.Contains(section.offset, section.size);
  return section;
}

template <typename SectionHeader>
absl::Status ReadSections(const ByteSource& source, const std::vector<SectionHeader>& headers,
                          std::uint64_t names_index, ElfFile& file) {
  for (const SectionHeader& header : headers) file.sections.push_back(ToSection(source, header));
  if (names_index >= file.sections.size()) return absl::OkStatus();
  const Section& names = file.sections[names_index];
  if (!names.has_data || names.size > kMaxNameTableBytes) return absl::OkStatus();
  STOKER_ASSIGN_OR_RETURN(const std::string table, source.Read(names.offset, names.size));
  for (std::size_t i = 0; i < headers.size(); ++i) {
    file.sections[i].name = StringAt(table, headers[i].sh_name, kMaxSectionNameBytes);
  }
  return absl::OkStatus();
}

template <typename Layout>
absl::StatusOr<ElfFile> ReadAs(const ByteSource& source) {
  using Header = typename Layout::Header;
  using SectionHeader = typename Layout::SectionHeader;
  using ProgramHeader = typename Layout::ProgramHeader;
  if (!source.Contains(0, sizeof(Header))) return InvalidArgument("the ELF header is cut off");
  STOKER_ASSIGN_OR_RETURN(const Header header, ReadStruct<Header>(source, 0));
  ElfFile file = {.elf_class = header.e_ident[EI_CLASS],
                  .elf_data = header.e_ident[EI_DATA],
                  .type = header.e_type,
                  .machine = header.e_machine,
                  .entry = header.e_entry};
  STOKER_ASSIGN_OR_RETURN(const Counts counts, ReadCounts<Layout>(source, header));
  STOKER_ASSIGN_OR_RETURN(const std::vector<ProgramHeader> segments,
                          ReadTable<ProgramHeader>(source, header.e_phoff, counts.segments,
                                                   header.e_phentsize, "program headers"));
  for (const ProgramHeader& segment : segments) {
    file.segments.push_back({.type = segment.p_type,
                             .flags = segment.p_flags,
                             .offset = segment.p_offset,
                             .address = segment.p_vaddr,
                             .file_size = segment.p_filesz,
                             .memory_size = segment.p_memsz,
                             .alignment = segment.p_align});
  }
  STOKER_ASSIGN_OR_RETURN(const std::vector<SectionHeader> sections,
                          ReadTable<SectionHeader>(source, header.e_shoff, counts.sections,
                                                   header.e_shentsize, "section headers"));
  STOKER_RETURN_IF_ERROR(ReadSections(source, sections, counts.names, file));
  return file;
}

}  // namespace

const Section* ElfFile::FindSection(std::string_view name) const {
  const auto it = std::find_if(sections.begin(), sections.end(),
                               [name](const Section& section) { return section.name == name; });
  return it == sections.end() ? nullptr : &*it;
}

std::string_view StringAt(std::string_view table, std::uint64_t offset, std::size_t max_bytes) {
  if (offset >= table.size()) return {};
  const std::string_view rest = table.substr(offset, max_bytes);
  return rest.substr(0, rest.find('\0'));
}

absl::StatusOr<ElfFile> ReadElfFile(const ByteSource& source) {
  char ident[EI_NIDENT];
  if (!source.Contains(0, sizeof ident)) return InvalidArgument("not an ELF file");
  STOKER_RETURN_IF_ERROR(source.ReadAt(0, ident));
  if (std::memcmp(ident, ELFMAG, SELFMAG) != 0) return InvalidArgument("not an ELF file");
  if (source.size() > kMaxFileBytes) {
    return InvalidArgument("{} bytes where {} are allowed", source.size(), kMaxFileBytes);
  }
  if (ident[EI_DATA] != ELFDATA2LSB) {
    return InvalidArgument("byte order {} is not little endian", ident[EI_DATA]);
  }
  switch (ident[EI_CLASS]) {
    case ELFCLASS32:
      return ReadAs<Layout32>(source);
    case ELFCLASS64:
      return ReadAs<Layout64>(source);
    default:
      return InvalidArgument("ELF class {} is unknown", ident[EI_CLASS]);
  }
}

}  // namespace stoker::elf
