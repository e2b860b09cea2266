#include "services/collector/ebpf/unwind/elf_rows.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include <elf.h>

#include "services/collector/ebpf/unwind/cfi_parser.h"
#include "services/collector/ebpf/unwind/debug_section.h"
#include "services/collector/ebpf/unwind/go_binary.h"
#include "services/collector/ebpf/unwind/go_line_table.h"
#include "services/collector/ebpf/unwind/loaded_bytes.h"
#include "services/collector/ebpf/unwind/undescribed_code.h"
#include "services/common/base/status.h"
#include "services/common/elf/cursor.h"
#include "services/common/elf/elf_file.h"

namespace stoker::ebpf::unwind {
namespace {

// A linker writes one, seldom two; all are looked through for each function.
constexpr std::size_t kMaxTextRanges = 64;

absl::StatusOr<Text> FindText(const elf::ElfFile& file) {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> found;
  for (const elf::Segment& segment : file.segments) {
    if (segment.type != PT_LOAD || (segment.flags & PF_X) == 0 || segment.memory_size == 0)
      continue;
    if (segment.memory_size > ~segment.address) return InvalidArgument("a segment wraps around");
    found.emplace_back(segment.address, segment.address + segment.memory_size);
  }
  if (found.empty()) return InvalidArgument("no executable segment");
  std::ranges::sort(found);
  Text text;
  text.base = found.front().first / STOKER_UNWIND_PAGE_BYTES * STOKER_UNWIND_PAGE_BYTES;
  // The last row's address, one past the end, has to fit as well.
  if (found.back().second - text.base >= std::numeric_limits<std::uint32_t>::max()) {
    return InvalidArgument("executable segments span more than 4 GiB");
  }
  if (found.back().second >> 48 != 0) return InvalidArgument("no addresses of user space");
  for (const auto& [begin, end] : found) {
    const TextRange range = {static_cast<std::uint32_t>(begin - text.base),
                             static_cast<std::uint32_t>(end - text.base)};
    if (!text.ranges.empty() && range.begin <= text.ranges.back().end) {
      text.ranges.back().end = std::max(text.ranges.back().end, range.end);
    } else {
      text.ranges.push_back(range);
    }
  }
  if (text.ranges.size() > kMaxTextRanges) {
    return InvalidArgument("{} executable segments", text.ranges.size());
  }
  for (const TextRange& range : text.ranges) text.bytes += range.end - range.begin;
  return text;
}

// Call frame information with the bytes that it is in.
struct LoadedCfi {
  std::string bytes;
  CfiSection section;
};

absl::Status CheckSize(std::string_view name, std::uint64_t size) {
  if (size <= kMaxSectionBytes) return absl::OkStatus();
  return ResourceExhausted("{} of {} bytes, where {} are allowed", name, size, kMaxSectionBytes);
}

// .eh_frame by the pointer in PT_GNU_EH_FRAME: it ends with its segment at the latest.
absl::StatusOr<LoadedCfi> FindByHeader(const elf::ByteSource& source, const elf::ElfFile& file) {
  LoadedCfi found;
  for (const elf::Segment& header : file.segments) {
    if (header.type != PT_GNU_EH_FRAME || header.file_size < 8) continue;
    STOKER_ASSIGN_OR_RETURN(const std::string bytes, source.Read(header.offset, 8));
    // Version 1, and the one encoding that linkers write: relative to itself, four bytes.
    elf::Cursor cursor(bytes);
    if (cursor.Byte() != 1 || cursor.Byte() != 0x1b) continue;
    cursor.Skip(2);
    const std::uint64_t address =
        header.address + 4 +
        static_cast<std::uint64_t>(std::int64_t{cursor.Number<std::int32_t>()});
    const elf::Segment* const segment = FindLoadSegment(file, address);
    if (segment == nullptr) continue;
    const std::uint64_t skipped = address - segment->address;
    // What else is in the segment is not needed; a section larger than this is cut.
    const std::uint64_t size = std::min(segment->file_size - skipped, kMaxSectionBytes);
    STOKER_ASSIGN_OR_RETURN(found.bytes, source.Read(segment->offset + skipped, size));
    found.section = {.address = address, .has_known_size = false};
    return found;
  }
  return found;
}

absl::StatusOr<LoadedCfi> LoadEhFrame(const elf::ByteSource& source, const elf::ElfFile& file) {
  const elf::Section* const section = file.FindSection(".eh_frame");
  if (section == nullptr || !section->has_data) return FindByHeader(source, file);
  STOKER_RETURN_IF_ERROR(CheckSize(section->name, section->size));
  LoadedCfi found;
  STOKER_ASSIGN_OR_RETURN(found.bytes, source.Read(section->offset, section->size));
  found.section.address = section->address;
  return found;
}

absl::StatusOr<LoadedCfi> LoadDebugFrame(const elf::ByteSource& source, const elf::ElfFile& file) {
  LoadedCfi found;
  found.section.is_debug_frame = true;
  const elf::Section* const section = file.FindSection(".debug_frame");
  if (section == nullptr || !section->has_data) return found;
  STOKER_ASSIGN_OR_RETURN(found.bytes, ReadDebugSection(source, *section, kMaxSectionBytes));
  return found;
}

class Reader {
 public:
  Reader(const elf::ByteSource& source, const elf::ElfFile& file, ElfRows& into)
      : source_(source), file_(file), into_(into) {}

  absl::Status AddEhFrame() {
    STOKER_ASSIGN_OR_RETURN(const LoadedCfi cfi, LoadEhFrame(source_, file_));
    return AddCfi(cfi);
  }
  absl::Status AddGoTable() {
    if (into_.machine->elf_machine != EM_X86_64) return absl::OkStatus();
    STOKER_ASSIGN_OR_RETURN(const GoTableBytes found,
                            FindGoTable(source_, file_, into_.text, kMaxSectionBytes));
    const std::optional<GoLineTable> table = GoLineTable::Open(found.bytes);
    if (!table || (table->IsRelative() && found.text_start == 0)) return absl::OkStatus();
    table->AddRows(found.text_start, into_.text, into_.rules, into_.rows);
    return Take();
  }
  absl::Status AddDebugFrame() {
    STOKER_ASSIGN_OR_RETURN(const LoadedCfi cfi, LoadDebugFrame(source_, file_));
    return AddCfi(cfi);
  }
  // What nothing describes, but can be told by what it is.
  absl::Status AddUndescribed() {
    if (into_.machine->elf_machine != EM_X86_64) return absl::OkStatus();
    AddUndescribedCode(source_, file_, into_.text, into_.ranges, into_.rules, into_.rows);
    return Take();
  }

 private:
  absl::Status AddCfi(const LoadedCfi& cfi) {
    if (cfi.bytes.empty()) return absl::OkStatus();
    CfiSection section = cfi.section;
    section.bytes = cfi.bytes;
    const std::vector<std::size_t> signal_frames =
        ParseCfi(section, *into_.machine, into_.text, into_.ranges, into_.rules, into_.rows);
    for (const std::size_t range : signal_frames) BeginEarlier(into_.rows.ranges[range]);
    return Take();
  }

  // The return address that a signal handler has is the first byte of the trampoline, and is looked
  // up as others are: one byte before.
  void BeginEarlier(RowRange& range) {
    const auto code =
        ReadLoaded(source_, file_, into_.text.base + range.begin, kSigreturnCode.size());
    if (!code || *code != kSigreturnCode || range.begin == 0 || range.row_count == 0) return;
    --range.begin;
    --into_.rows.rows[range.first_row].offset;
  }

  // Adds what was parsed to the sorted ranges.
  absl::Status Take() {
    if (into_.rows.overflow) {
      return ResourceExhausted("more than {} functions or {} rows", RowSet::kMaxRanges,
                               RowSet::kMaxRows);
    }
    std::vector<RowRange> added = std::exchange(into_.rows.ranges, {});
    Sort(added);
    into_.ranges = Merge(into_.ranges, added);
    return absl::OkStatus();
  }

  const elf::ByteSource& source_;
  const elf::ElfFile& file_;
  ElfRows& into_;
};

}  // namespace

absl::StatusOr<ElfRows> ReadElfRows(const elf::ByteSource& source) {
  STOKER_ASSIGN_OR_RETURN(const elf::ElfFile file, elf::ReadElfFile(source));
  ElfRows found;
  found.machine = FindMachine(file.machine);
  if (found.machine == nullptr || file.elf_class != ELFCLASS64) {
    return InvalidArgument("machine {} is not known", file.machine);
  }
  if (file.type != ET_EXEC && file.type != ET_DYN) {
    return InvalidArgument("neither a program nor a library");
  }
  STOKER_ASSIGN_OR_RETURN(found.text, FindText(file));
  Reader reader(source, file, found);
  STOKER_RETURN_IF_ERROR(reader.AddEhFrame());
  STOKER_RETURN_IF_ERROR(reader.AddGoTable());
  STOKER_RETURN_IF_ERROR(reader.AddDebugFrame());
  STOKER_RETURN_IF_ERROR(reader.AddUndescribed());
  return found;
}

}  // namespace stoker::ebpf::unwind
