#include "services/collector/ebpf/unwind/table_builder.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <string_view>

#include <unistd.h>
#include <xxhash.h>

#include "services/collector/ebpf/unwind/page_folder.h"
#include "services/common/base/status.h"

namespace stoker::ebpf::unwind {
namespace {

constexpr std::size_t kAlignment = 8;

// Takes ascending rows and makes pages of them.
class PageBuilder {
 public:
  PageBuilder(std::uint64_t base, TableContent& content)
      : first_number_(static_cast<std::uint32_t>(base >> STOKER_UNWIND_PAGE_BITS)),
        content_(content) {}

  void Add(std::uint32_t offset, RuleId rule) {
    if (rule == current_) return;
    if (offset >> STOKER_UNWIND_PAGE_BITS != page_) Turn(offset >> STOKER_UNWIND_PAGE_BITS);
    const auto low = static_cast<std::uint16_t>(offset);
    if (!rows_.empty() && rows_.back().low == low) rows_.pop_back();
    if (rows_.empty() && low != 0) rows_.push_back({0, RuleSet::kNone});
    if (rows_.empty() || rows_.back().rule != rule) rows_.push_back({low, rule});
    current_ = rule;
  }

  void Finish() { Turn(page_ + 1); }

 private:
  // Ends the present page and those before `next`; begins that with the rule that holds there.
  void Turn(std::uint32_t next) {
    Flush();
    rows_.clear();
    if (current_ == RuleSet::kNone) {
      page_ = next;
      return;
    }
    for (++page_;; ++page_) {
      rows_.assign(1, {0, current_});
      if (page_ == next) return;
      Flush();
    }
  }

  void Flush() {
    if (rows_.empty() || (rows_.size() == 1 && rows_[0].rule == RuleSet::kNone)) return;
    const FoldedPage* page = &folder_.Fold(rows_);
    if (page->Size() > STOKER_UNWIND_MAX_PAGE_BYTES) {
      ++content_.dense_pages;
      rows_.assign(1, {0, RuleSet::kUnsupported});
      page = &folder_.Fold(rows_);
    }
    content_.pages.push_back({.number = first_number_ + page_,
                              .row_count = static_cast<std::uint16_t>(page->low.size()),
                              .entry_count = static_cast<std::uint16_t>(page->entries.size()),
                              .offset = content_.bodies.size()});
    content_.folded_rows += page->low.size();
    page->AppendTo(content_.bodies);
    while (content_.bodies.size() % kAlignment != 0) content_.bodies.push_back('\0');
  }

  const std::uint32_t first_number_;
  TableContent& content_;
  PageFolder folder_;
  std::uint32_t page_ = 0;
  std::vector<PageRow> rows_;
  RuleId current_ = RuleSet::kNone;
};

void AddRange(const ElfRows& rows, const RowRange& range, std::uint32_t end, PageBuilder& pages) {
  RuleId before = RuleSet::kNone;
  std::uint32_t i = range.first_row;
  const std::uint32_t last = range.first_row + range.row_count;
  for (; i < last && rows.rows.rows[i].offset <= range.begin; ++i) before = rows.rows.rows[i].rule;
  pages.Add(range.begin, before);
  for (; i < last && rows.rows.rows[i].offset < end; ++i) {
    pages.Add(rows.rows.rows[i].offset, rows.rows.rows[i].rule);
  }
}

// The parts of the file, in order.
struct Parts {
  TableHeader header;
  std::vector<TablePage> pages;
  const TableContent* content = nullptr;

  [[nodiscard]] std::array<std::string_view, 4> Bytes() const {
    const auto view = [](const auto* data, std::size_t count) {
      return std::string_view(reinterpret_cast<const char*>(data), count * sizeof *data);
    };
    return {view(&header, 1), view(pages.data(), pages.size()),
            view(content->rules.data(), content->rules.size()), content->bodies};
  }
};

Parts ToParts(const TableContent& content) {
  Parts parts;
  parts.content = &content;
  parts.pages = content.pages;
  const std::uint64_t bodies = sizeof(TableHeader) + content.pages.size() * sizeof(TablePage) +
                               content.rules.size() * sizeof(Rule);
  for (TablePage& page : parts.pages) page.offset += bodies;
  parts.header = {.magic = kTableMagic,
                  .version = kTableVersion,
                  .machine = content.machine,
                  .file_bytes = bodies + content.bodies.size(),
                  .page_count = static_cast<std::uint32_t>(content.pages.size()),
                  .rule_count = static_cast<std::uint32_t>(content.rules.size()),
                  .text_bytes = content.text_bytes,
                  .raw_rows = content.raw_rows};
  const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state(XXH3_createState(),
                                                                       &XXH3_freeState);
  XXH3_64bits_reset(state.get());
  const auto all = parts.Bytes();
  for (std::size_t i = 1; i < all.size(); ++i) {
    XXH3_64bits_update(state.get(), all[i].data(), all[i].size());
  }
  parts.header.checksum = XXH3_64bits_digest(state.get());
  return parts;
}

}  // namespace

TableContent BuildTable(const ElfRows& rows) {
  TableContent content;
  content.machine = rows.machine->elf_machine;
  content.text_bytes = rows.text.bytes;
  content.raw_rows = rows.rows.raw_rows;
  PageBuilder pages(rows.text.base, content);
  std::uint32_t covered = 0;
  for (std::size_t i = 0; i < rows.ranges.size(); ++i) {
    const RowRange& range = rows.ranges[i];
    const std::uint32_t end =
        i + 1 < rows.ranges.size() ? std::min(range.end, rows.ranges[i + 1].begin) : range.end;
    if (end <= range.begin) continue;
    if (range.begin > covered && range.begin - covered > kMaxPaddingBytes) {
      pages.Add(covered, RuleSet::kNone);
    }
    AddRange(rows, range, end, pages);
    covered = end;
  }
  pages.Add(covered, RuleSet::kNone);
  pages.Finish();
  content.rules = rows.rules.rules();
  return content;
}

std::string ToBytes(const TableContent& content) {
  std::string bytes;
  const Parts parts = ToParts(content);
  for (const std::string_view part : parts.Bytes()) bytes += part;
  return bytes;
}

absl::Status WriteTable(const TableContent& content, int fd) {
  const Parts parts = ToParts(content);
  off_t at = 0;
  for (std::string_view part : parts.Bytes()) {
    while (!part.empty()) {
      const ssize_t written = pwrite(fd, part.data(), part.size(), at);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return ErrnoError(errno, "pwrite");
      part.remove_prefix(static_cast<std::size_t>(written));
      at += written;
    }
  }
  return absl::OkStatus();
}

}  // namespace stoker::ebpf::unwind
