#include "services/collector/ebpf/unwind/table.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <sys/mman.h>
#include <sys/stat.h>
#include <xxhash.h>

#include "services/collector/ebpf/unwind/machine.h"
#include "services/common/base/status.h"

namespace stoker::ebpf::unwind {
namespace {

constexpr std::uint64_t kAlignment = 8;
constexpr std::size_t kNarrowEntries = 256;

template <typename T>
std::span<const T> SpanAt(std::string_view bytes, std::uint64_t offset, std::size_t count) {
  return {reinterpret_cast<const T*>(bytes.data() + offset), count};
}

std::uint64_t BodyBytes(const TablePage& page) {
  const std::uint64_t width = page.entry_count > kNarrowEntries ? 2 : 1;
  return page.entry_count * sizeof(stoker_unwind_entry) +
         page.row_count * (sizeof(std::uint16_t) + width);
}

bool IsKnown(const Rule& rule) {
  return rule.cfa <= STOKER_CFA_UNSUPPORTED && rule.bp <= STOKER_BP_UNKNOWN &&
         rule.ra <= STOKER_RA_REGISTER;
}

bool IsSound(const stoker_unwind_entry& entry, std::size_t rule_count) {
  for (const std::uint16_t rule : entry.rule) {
    if (rule >= rule_count) return false;
  }
  // The second before the third.
  return entry.after[1] == 0 || (entry.after[0] != 0 && entry.after[1] > entry.after[0]);
}

RuleId RuleAt(const stoker_unwind_entry& entry, std::uint64_t after) {
  if (entry.after[1] != 0 && after >= entry.after[1]) return entry.rule[2];
  if (entry.after[0] != 0 && after >= entry.after[0]) return entry.rule[1];
  return entry.rule[0];
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Table>> Table::Open(int fd) {
  struct stat file{};
  if (fstat(fd, &file) != 0) return ErrnoError(errno, "fstat");
  if (!S_ISREG(file.st_mode) || file.st_size == 0) return DataLoss("not a file, or empty");
  const auto size = static_cast<std::size_t>(file.st_size);
  void* const mapped = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (mapped == MAP_FAILED) return ErrnoError(errno, "mmap");
  std::shared_ptr<Table> table(new Table());
  table->bytes_ = {static_cast<const char*>(mapped), size};
  table->is_mapped_ = true;
  STOKER_RETURN_IF_ERROR(table->Check());
  // The check has read all of it; few pages will be read again soon.
  madvise(mapped, size, MADV_DONTNEED);
  return table;
}

absl::StatusOr<std::shared_ptr<const Table>> Table::FromBytes(std::string_view bytes) {
  std::shared_ptr<Table> table(new Table());
  table->copy_.resize(bytes.size() / sizeof(std::uint64_t) + 1);
  std::ranges::copy(bytes, reinterpret_cast<char*>(table->copy_.data()));
  table->bytes_ = {reinterpret_cast<const char*>(table->copy_.data()), bytes.size()};
  STOKER_RETURN_IF_ERROR(table->Check());
  return table;
}

Table::~Table() {
  // munmap does not change what is mapped.
  if (is_mapped_) munmap(const_cast<char*>(bytes_.data()), bytes_.size());  // NOLINT
}

absl::Status Table::Check() {
  if (bytes_.size() < sizeof(TableHeader)) return DataLoss("cut within its header");
  header_ = reinterpret_cast<const TableHeader*>(bytes_.data());
  if (header_->magic != kTableMagic || header_->version != kTableVersion) {
    return DataLoss("not a table of version {}", kTableVersion);
  }
  if (header_->file_bytes != bytes_.size()) {
    return DataLoss("{} bytes where {} are expected", bytes_.size(), header_->file_bytes);
  }
  if (header_->machine > UINT16_MAX ||
      FindMachine(static_cast<std::uint16_t>(header_->machine)) == nullptr) {
    return DataLoss("machine {} is not known", header_->machine);
  }
  const std::string_view body = bytes_.substr(sizeof(TableHeader));
  if (XXH3_64bits(body.data(), body.size()) != header_->checksum) return DataLoss("wrong checksum");
  const std::uint64_t pages = std::uint64_t{header_->page_count} * sizeof(TablePage);
  const std::uint64_t rules = std::uint64_t{header_->rule_count} * sizeof(Rule);
  if (pages > body.size() || rules > body.size() - pages) return DataLoss("cut within its rules");
  if (header_->rule_count == 0 || header_->rule_count > RuleSet::kMaxRules) {
    return DataLoss("{} rules", header_->rule_count);
  }
  pages_ = SpanAt<TablePage>(bytes_, sizeof(TableHeader), header_->page_count);
  rules_ = SpanAt<Rule>(bytes_, sizeof(TableHeader) + pages, header_->rule_count);
  if (rules_[RuleSet::kNone].cfa != STOKER_CFA_NONE || !std::ranges::all_of(rules_, IsKnown)) {
    return DataLoss("a rule of an unknown kind");
  }
  for (std::size_t i = 0; i < pages_.size(); ++i) {
    if (i > 0 && pages_[i].number <= pages_[i - 1].number) return DataLoss("pages do not ascend");
    STOKER_RETURN_IF_ERROR(CheckPage(pages_[i]));
  }
  return absl::OkStatus();
}

absl::Status Table::CheckPage(const TablePage& page) const {
  const std::uint64_t size = BodyBytes(page);
  if (page.offset % kAlignment != 0 || page.offset > bytes_.size() ||
      size > bytes_.size() - page.offset || size > STOKER_UNWIND_MAX_PAGE_BYTES) {
    return DataLoss("page {} lies outside", page.number);
  }
  const Page columns = Columns(page);
  if (columns.low.empty() || columns.low[0] != 0)
    return DataLoss("page {} begins late", page.number);
  if (std::ranges::adjacent_find(columns.low, std::greater_equal()) != columns.low.end()) {
    return DataLoss("the rows of page {} do not ascend", page.number);
  }
  for (const stoker_unwind_entry& entry : columns.entries) {
    if (!IsSound(entry, rules_.size())) return DataLoss("an entry of page {}", page.number);
  }
  for (std::size_t row = 0; row < columns.low.size(); ++row) {
    if (columns.EntryOf(row) >= columns.entries.size()) return DataLoss("a row of {}", page.number);
  }
  return absl::OkStatus();
}

Table::Page Table::Columns(const TablePage& page) const {
  const std::uint64_t low = page.offset + page.entry_count * sizeof(stoker_unwind_entry);
  const std::uint64_t entry = low + page.row_count * sizeof(std::uint16_t);
  Page columns = {.entries = SpanAt<stoker_unwind_entry>(bytes_, page.offset, page.entry_count),
                  .low = SpanAt<std::uint16_t>(bytes_, low, page.row_count),
                  .body = SpanAt<std::byte>(bytes_, page.offset, BodyBytes(page))};
  if (page.entry_count > kNarrowEntries) {
    columns.wide_entry = SpanAt<std::uint16_t>(bytes_, entry, page.row_count);
  } else {
    columns.narrow_entry = SpanAt<std::uint8_t>(bytes_, entry, page.row_count);
  }
  return columns;
}

const TablePage* Table::FindPage(std::uint64_t number) const {
  const auto found = std::ranges::lower_bound(pages_, number, {}, &TablePage::number);
  return found != pages_.end() && found->number == number ? &*found : nullptr;
}

const Rule& Table::Lookup(std::uint64_t address) const {
  const TablePage* const page = FindPage(address >> STOKER_UNWIND_PAGE_BITS);
  if (page == nullptr) return rules_[RuleSet::kNone];
  const Page columns = Columns(*page);
  const auto low = static_cast<std::uint16_t>(address);
  const auto after = std::ranges::upper_bound(columns.low, low);
  const auto row = static_cast<std::size_t>(after - columns.low.begin() - 1);
  const stoker_unwind_entry& entry = columns.entries[columns.EntryOf(row)];
  return rules_[RuleAt(entry, low - columns.low[row])];
}

}  // namespace stoker::ebpf::unwind
