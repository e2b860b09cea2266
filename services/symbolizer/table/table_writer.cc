#include "services/symbolizer/table/table_writer.h"

#include <cstring>
#include <limits>
#include <string_view>
#include <unordered_map>

#include <xxhash.h>

#include "services/common/base/status.h"
#include "services/symbolizer/table/table_format.h"

namespace stoker::symbolizer {
namespace {

constexpr std::uint64_t kMaxOffset = std::numeric_limits<std::uint32_t>::max();

// The columns of a table.
struct Columns {
  std::vector<std::uint32_t> begins;
  std::vector<std::uint32_t> ends;
  std::vector<std::uint32_t> names;
  std::string strings;
};

absl::StatusOr<Columns> ToColumns(const std::vector<elf::FunctionRange>& ranges) {
  Columns columns;
  if (ranges.empty()) return columns;
  const std::uint64_t base = ranges.front().begin;
  if (ranges.back().end - base > kMaxOffset) {
    return InvalidArgument("functions span {} bytes where {} are allowed", ranges.back().end - base,
                           kMaxOffset);
  }
  std::unordered_map<std::string_view, std::uint32_t> known;
  for (const elf::FunctionRange& range : ranges) {
    columns.begins.push_back(static_cast<std::uint32_t>(range.begin - base));
    columns.ends.push_back(static_cast<std::uint32_t>(range.end - base));
    const auto offset = static_cast<std::uint32_t>(columns.strings.size());
    const auto [entry, is_new] = known.try_emplace(range.name, offset);
    columns.names.push_back(entry->second);
    if (!is_new) continue;
    columns.strings.append(range.name).push_back('\0');
    if (columns.strings.size() > kMaxOffset) return InvalidArgument("names need more than 4 GiB");
  }
  return columns;
}

class TableBytes {
 public:
  explicit TableBytes(std::uint32_t sections)
      : bytes_(sizeof(TableHeader) + sections * sizeof(TableSection), '\0') {}

  void Add(std::uint32_t kind, std::uint32_t entry_bytes, const void* data, std::size_t size) {
    bytes_.resize((bytes_.size() + 7) / 8 * 8);
    const TableSection section = {kind, entry_bytes, bytes_.size(), size};
    std::memcpy(bytes_.data() + sizeof(TableHeader) + count_ * sizeof section, &section,
                sizeof section);
    ++count_;
    bytes_.append(static_cast<const char*>(data), size);
  }

  std::string Finish(std::uint64_t base_address) && {
    TableHeader header = {.version = kTableVersion,
                          .section_count = count_,
                          .base_address = base_address,
                          .file_bytes = bytes_.size()};
    std::memcpy(header.magic, kTableMagic, sizeof header.magic);
    header.checksum = XXH3_64bits(bytes_.data() + sizeof header, bytes_.size() - sizeof header);
    std::memcpy(bytes_.data(), &header, sizeof header);
    return std::move(bytes_);
  }

 private:
  std::string bytes_;
  std::uint32_t count_ = 0;
};

}  // namespace

absl::StatusOr<std::string> WriteTable(const std::vector<elf::FunctionRange>& ranges) {
  STOKER_ASSIGN_OR_RETURN(const Columns columns, ToColumns(ranges));
  TableBytes table(4);
  const std::size_t column_bytes = columns.begins.size() * sizeof(std::uint32_t);
  table.Add(kTableBegins, sizeof(std::uint32_t), columns.begins.data(), column_bytes);
  table.Add(kTableEnds, sizeof(std::uint32_t), columns.ends.data(), column_bytes);
  table.Add(kTableNames, sizeof(std::uint32_t), columns.names.data(), column_bytes);
  table.Add(kTableStrings, 1, columns.strings.data(), columns.strings.size());
  return std::move(table).Finish(ranges.empty() ? 0 : ranges.front().begin);
}

}  // namespace stoker::symbolizer
