#include "services/symbolizer/table/table_job.h"

#include <memory>
#include <vector>

#include "services/common/base/status.h"
#include "services/common/elf/byte_source.h"
#include "services/common/elf/elf_file.h"
#include "services/common/elf/function_ranges.h"
#include "services/symbolizer/table/elf_table.h"
#include "services/symbolizer/table/table_format.h"
#include "services/symbolizer/table/table_writer.h"

namespace stoker::symbolizer {
namespace {

constexpr std::uint64_t kMaxKernelTableBytes = std::uint64_t{64} << 20;
// The last function of a kernel's text ends nowhere; none is longer.
constexpr std::uint64_t kLastFunctionBytes = std::uint64_t{64} << 10;

absl::StatusOr<std::unique_ptr<elf::ByteSource>> OpenData(std::span<const int> fds) {
  if (fds.size() != 1) return InvalidArgument("{} files where one holds the data", fds.size());
  return elf::OpenFdSource(fds[0]);
}

elf::Section ToSection(const symbol::v1::ElfSection& from) {
  return {.name = from.name(),
          .type = from.type(),
          .flags = from.flags(),
          .address = from.address(),
          .offset = from.data_offset(),
          .size = from.size_bytes(),
          .link = from.link(),
          .info = from.info(),
          .entry_size = from.entry_size(),
          .has_data = from.has_data()};
}

absl::StatusOr<std::string> ElfTable(std::span<const int> fds, std::string_view request,
                                     std::uint32_t flags) {
  symbol::v1::ElfLayout layout;
  if (!layout.ParseFromArray(request.data(), static_cast<int>(request.size()))) {
    return InvalidArgument("the layout is no ElfLayout");
  }
  if (layout.sections_size() > static_cast<int>(elf::kMaxSections)) {
    return InvalidArgument("{} sections", layout.sections_size());
  }
  STOKER_ASSIGN_OR_RETURN(const std::unique_ptr<elf::ByteSource> data, OpenData(fds));
  std::vector<elf::Section> sections;
  for (const symbol::v1::ElfSection& section : layout.sections()) {
    sections.push_back(ToSection(section));
  }
  return MakeElfTable(*data, sections, static_cast<std::uint8_t>(layout.elf_class()), flags);
}

absl::StatusOr<std::string> SymbolTable(std::span<const int> fds, std::string_view request) {
  return ElfTable(fds, request, 0);
}

absl::StatusOr<std::string> DebugTable(std::span<const int> fds, std::string_view request) {
  return ElfTable(fds, request, kTableIsFull);
}

absl::StatusOr<std::string> KernelTable(std::span<const int> fds, std::string_view) {
  STOKER_ASSIGN_OR_RETURN(const std::unique_ptr<elf::ByteSource> data, OpenData(fds));
  if (data->size() > kMaxKernelTableBytes) {
    return InvalidArgument("{} bytes where {} are allowed", data->size(), kMaxKernelTableBytes);
  }
  STOKER_ASSIGN_OR_RETURN(const std::string bytes, data->Read(0, data->size()));
  symbol::v1::KernelTable table;
  if (!table.ParseFromString(bytes) || table.offset_size() != table.name_size()) {
    return InvalidArgument("the data is no KernelTable");
  }
  std::vector<elf::FunctionRange> ranges;
  for (int i = 0; i < table.offset_size(); ++i) {
    const std::uint64_t begin = table.offset(i);
    const bool last = i + 1 == table.offset_size();
    const std::uint64_t end = last ? begin + kLastFunctionBytes : table.offset(i + 1);
    if (end < begin) return InvalidArgument("offset {} is out of order", end);
    // Of several names of one offset the last stands.
    if (end > begin) ranges.push_back({begin, end, table.name(i)});
  }
  return WriteTable(ranges, kTableIsFull);
}

}  // namespace

sandbox::Jobs TableJobs() {
  return {
      {kElfTableJob, SymbolTable}, {kDebugTableJob, DebugTable}, {kKernelTableJob, KernelTable}};
}

}  // namespace stoker::symbolizer
