#include "services/symbolizer/table/table.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <xxhash.h>

#include "services/common/base/status.h"
#include "services/common/base/unique_fd.h"
#include "services/symbolizer/table/table_format.h"

namespace stoker::symbolizer {
namespace {

absl::StatusOr<TableHeader> CheckHeader(std::string_view bytes) {
  TableHeader header;
  if (bytes.size() < sizeof header) return DataLoss("no table: {} bytes", bytes.size());
  std::memcpy(&header, bytes.data(), sizeof header);
  if (std::memcmp(header.magic, kTableMagic, sizeof header.magic) != 0) {
    return DataLoss("no table: another magic");
  }
  if (header.version != kTableVersion) {
    return DataLoss("a table of version {}, not {}", header.version, kTableVersion);
  }
  if (header.file_bytes != bytes.size()) {
    return DataLoss("a table of {} bytes in a file of {}", header.file_bytes, bytes.size());
  }
  const std::string_view rest = bytes.substr(sizeof header);
  if (XXH3_64bits(rest.data(), rest.size()) != header.checksum) {
    return DataLoss("the table's checksum is wrong");
  }
  if (header.section_count > kMaxTableSections ||
      rest.size() < header.section_count * sizeof(TableSection)) {
    return DataLoss("a table of {} sections", header.section_count);
  }
  return header;
}

std::span<const std::uint32_t> AsNumbers(std::string_view bytes) {
  return {reinterpret_cast<const std::uint32_t*>(bytes.data()),
          bytes.size() / sizeof(std::uint32_t)};
}

}  // namespace

absl::StatusOr<Table::Columns> Table::Parse(std::string_view bytes) {
  STOKER_ASSIGN_OR_RETURN(const TableHeader header, CheckHeader(bytes));
  Columns columns = {.base_address = header.base_address};
  for (std::uint32_t i = 0; i < header.section_count; ++i) {
    TableSection section;
    std::memcpy(&section, bytes.data() + sizeof header + i * sizeof section, sizeof section);
    if (section.offset % 8 != 0 || section.offset > bytes.size() ||
        section.size_bytes > bytes.size() - section.offset) {
      return DataLoss("section {} lies past the table's end", section.kind);
    }
    const std::string_view data = bytes.substr(section.offset, section.size_bytes);
    if (section.kind == kTableBegins) columns.begins = AsNumbers(data);
    if (section.kind == kTableEnds) columns.ends = AsNumbers(data);
    if (section.kind == kTableNames) columns.names = AsNumbers(data);
    if (section.kind == kTableStrings) columns.strings = data;
  }
  if (columns.ends.size() != columns.begins.size() ||
      columns.names.size() != columns.begins.size()) {
    return DataLoss("the table's columns differ in length");
  }
  return columns;
}

absl::Status Table::Check(std::string_view bytes) { return Parse(bytes).status(); }

absl::StatusOr<std::shared_ptr<const Table>> Table::Open(const std::string& path) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid()) return ErrnoError(errno, path);
  struct stat file{};
  if (fstat(fd.get(), &file) != 0) return ErrnoError(errno, path);
  const auto size = static_cast<std::size_t>(file.st_size);
  if (size == 0) return DataLoss("{}: no table: 0 bytes", path);
  void* memory = mmap(nullptr, size, PROT_READ, MAP_SHARED, fd.get(), 0);
  if (memory == MAP_FAILED) return ErrnoError(errno, path);
  const std::string_view bytes(static_cast<const char*>(memory), size);
  const absl::StatusOr<Columns> columns = Parse(bytes);
  if (!columns.ok()) {
    munmap(memory, size);
    return WithContext(columns.status(), path);
  }
  return std::shared_ptr<const Table>(new Table(bytes, *columns));
}

Table::~Table() { munmap(const_cast<char*>(bytes_.data()), bytes_.size()); }

std::optional<std::uint32_t> Table::Find(std::uint64_t address) const {
  if (address < columns_.base_address) return std::nullopt;
  const std::uint64_t offset = address - columns_.base_address;
  const auto after = std::upper_bound(columns_.begins.begin(), columns_.begins.end(), offset);
  if (after == columns_.begins.begin()) return std::nullopt;
  const auto range = static_cast<std::uint32_t>(after - columns_.begins.begin() - 1);
  if (offset >= columns_.ends[range]) return std::nullopt;
  return range;
}

std::string_view Table::Name(std::uint32_t range) const {
  const std::uint32_t offset = columns_.names[range];
  if (offset >= columns_.strings.size()) return {};
  const std::string_view rest = columns_.strings.substr(offset);
  const std::size_t end = rest.find('\0');
  return end == std::string_view::npos ? std::string_view() : rest.substr(0, end);
}

}  // namespace stoker::symbolizer
