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

template <typename Entry>
std::span<const Entry> As(std::string_view bytes) {
  return {reinterpret_cast<const Entry*>(bytes.data()), bytes.size() / sizeof(Entry)};
}

// Reads rows and scopes. Past the end there are zeros only.
class Reader {
 public:
  Reader(std::string_view bytes, std::size_t offset)
      : at_(bytes.data() + std::min(offset, bytes.size())), end_(bytes.data() + bytes.size()) {}

  std::uint8_t Byte() { return at_ == end_ ? 0 : static_cast<std::uint8_t>(*at_++); }

  std::uint32_t Unsigned() {
    std::uint32_t value = Byte();
    if (value < 0x80) return value;
    value &= 0x7f;
    for (unsigned shift = 7; shift < 35; shift += 7) {
      const std::uint32_t byte = Byte();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    return value;
  }
  // As a number to be added, modulo 2^32.
  std::uint32_t Signed() {
    std::uint32_t byte = Byte();
    std::uint32_t value = byte & 0x7f;
    unsigned shift = 7;
    for (; byte >= 0x80 && shift < 35; shift += 7) {
      byte = Byte();
      value |= (byte & 0x7f) << shift;
    }
    if ((byte & 0x40) != 0 && shift < 32) value |= ~std::uint32_t{0} << shift;
    return value;
  }

 private:
  const char* at_;
  const char* end_;
};

}  // namespace

void Table::AddSection(const TableSection& section, std::string_view data, Columns& columns) {
  switch (section.kind) {
    case kTableBegins:
      columns.begins = As<std::uint32_t>(data);
      break;
    case kTableEnds:
      columns.ends = As<std::uint32_t>(data);
      break;
    case kTableNames:
      columns.names = As<std::uint32_t>(data);
      break;
    case kTableRangeBuckets:
      columns.range_buckets = As<std::uint32_t>(data);
      break;
    case kTableStrings:
      columns.strings = data;
      break;
    case kTableFunctions:
      columns.functions = As<TableFunction>(data);
      break;
    case kTableFiles:
      columns.files = As<TableFile>(data);
      break;
    case kTableScopes:
      columns.scopes = data;
      break;
    case kTableBlockBegins:
      columns.block_begins = As<std::uint32_t>(data);
      break;
    case kTableBlockRows:
      columns.block_rows = As<std::uint32_t>(data);
      break;
    case kTableBlockBuckets:
      columns.block_buckets = As<std::uint32_t>(data);
      break;
    case kTableRows:
      columns.rows = data;
      break;
    case kTableNotes:
      columns.notes = data;
      break;
    default:
      break;
  }
}

absl::StatusOr<Table::Columns> Table::Parse(std::string_view bytes) {
  STOKER_ASSIGN_OR_RETURN(const TableHeader header, CheckHeader(bytes));
  Columns columns = {.base_address = header.base_address, .flags = header.flags};
  for (std::uint32_t i = 0; i < header.section_count; ++i) {
    TableSection section;
    std::memcpy(&section, bytes.data() + sizeof header + i * sizeof section, sizeof section);
    if (section.offset % 8 != 0 || section.offset > bytes.size() ||
        section.size_bytes > bytes.size() - section.offset) {
      return DataLoss("section {} lies past the table's end", section.kind);
    }
    AddSection(section, bytes.substr(section.offset, section.size_bytes), columns);
  }
  if (columns.ends.size() != columns.begins.size() ||
      columns.names.size() != columns.begins.size() ||
      columns.block_rows.size() != columns.block_begins.size()) {
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
  return std::shared_ptr<const Table>(new Table(bytes, *columns, true));
}

absl::StatusOr<std::shared_ptr<const Table>> Table::View(std::string_view bytes) {
  STOKER_ASSIGN_OR_RETURN(const Columns columns, Parse(bytes));
  return std::shared_ptr<const Table>(new Table(bytes, columns, false));
}

Table::~Table() {
  if (is_mapped_) munmap(const_cast<char*>(bytes_.data()), bytes_.size());
}

// The index of the last of `begins` that is not after `offset`.
std::optional<std::uint32_t> Table::LastAtOrBefore(Numbers begins, Numbers buckets,
                                                   std::uint32_t offset) {
  if (buckets.size() < 3 || buckets[0] > 31) return std::nullopt;
  const std::size_t bucket = 1 + (offset >> buckets[0]);
  if (bucket + 1 >= buckets.size()) return std::nullopt;
  const std::size_t first = buckets[bucket];
  const std::size_t last = buckets[bucket + 1];
  if (first > last || last > begins.size()) return std::nullopt;
  const auto after = std::upper_bound(begins.begin() + static_cast<std::ptrdiff_t>(first),
                                      begins.begin() + static_cast<std::ptrdiff_t>(last), offset);
  if (after == begins.begin()) return std::nullopt;
  return static_cast<std::uint32_t>(after - begins.begin() - 1);
}

std::optional<std::uint32_t> Table::FindRange(std::uint32_t offset) const {
  const auto range = LastAtOrBefore(columns_.begins, columns_.range_buckets, offset);
  if (!range.has_value() || offset >= columns_.ends[*range]) return std::nullopt;
  return range;
}

std::optional<std::uint32_t> Table::Find(std::uint64_t address) const {
  const std::uint64_t offset = address - columns_.base_address;
  if (address < columns_.base_address || offset > UINT32_MAX) return std::nullopt;
  return FindRange(static_cast<std::uint32_t>(offset));
}

std::optional<Table::Row> Table::FindRow(std::uint32_t offset) const {
  const auto block = LastAtOrBefore(columns_.block_begins, columns_.block_buckets, offset);
  if (!block.has_value()) return std::nullopt;
  Reader reader(columns_.rows, columns_.block_rows[*block]);
  std::uint32_t left = offset - columns_.block_begins[*block];
  const std::uint32_t count = std::min(reader.Unsigned(), kMaxBlockRows);
  Row row;
  row.scope = reader.Unsigned();
  row.file = reader.Unsigned();
  row.line = reader.Unsigned();
  for (std::uint32_t i = 1; i < count; ++i) {
    const std::uint8_t head = reader.Byte();
    std::uint32_t step = head >> kRowStepShift;
    if (step == kRowLongStep) step += reader.Unsigned();
    if (left < step) return row;
    left -= step;
    row.line += reader.Signed();
    if ((head & kRowOtherScope) != 0) row.scope += reader.Signed();
    if ((head & kRowOtherFile) != 0) row.file = reader.Unsigned();
  }
  if (left >= reader.Unsigned()) return std::nullopt;
  return row;
}

void Table::AddFrames(const Row& row, std::vector<Frame>& frames) const {
  std::uint32_t scope = row.scope;
  std::uint32_t file = row.file;
  std::uint32_t line = row.line;
  while (scope != 0 && scope < columns_.scopes.size() && frames.size() < kMaxFrames) {
    Reader reader(columns_.scopes, scope);
    const std::uint32_t parent = reader.Unsigned();
    const std::uint32_t number = reader.Unsigned();
    Frame& frame = frames.emplace_back(Frame{.file = file, .line = line});
    if (number < columns_.functions.size()) {
      const TableFunction& function = columns_.functions[number];
      frame.name = function.name;
      frame.start_file = function.file;
      frame.start_line = function.line;
    }
    if (parent == 0 || parent > scope) return;
    file = reader.Unsigned();
    line = reader.Unsigned();
    scope -= parent;
  }
}

void Table::Find(std::uint64_t address, std::vector<Frame>& frames) const {
  frames.clear();
  const std::uint64_t offset = address - columns_.base_address;
  if (address < columns_.base_address || offset > UINT32_MAX) return;
  const auto at = static_cast<std::uint32_t>(offset);
  const std::optional<Row> row = FindRow(at);
  if (row.has_value()) AddFrames(*row, frames);
  const auto range = FindRange(at);
  if (!range.has_value()) return;
  if (frames.empty()) {
    frames.push_back(row.has_value() ? Frame{.file = row->file, .line = row->line} : Frame{});
  }
  if (frames.size() < kMaxFrames) frames.back().name = columns_.names[*range];
}

std::string_view Table::Text(std::uint32_t offset) const {
  if (offset >= columns_.strings.size()) return {};
  const std::string_view rest = columns_.strings.substr(offset);
  const std::size_t end = rest.find('\0');
  return end == std::string_view::npos ? std::string_view() : rest.substr(0, end);
}

std::string Table::Path(std::uint32_t file) const {
  if (file >= columns_.files.size()) return {};
  const std::string_view folder = Text(columns_.files[file].folder);
  const std::string_view name = Text(columns_.files[file].name);
  if (folder.empty() || name.starts_with('/')) return std::string(name);
  std::string path(folder);
  if (!path.ends_with('/')) path += '/';
  return path.append(name);
}

}  // namespace stoker::symbolizer
