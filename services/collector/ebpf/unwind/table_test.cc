// Proves that a table's file answers for every address what its rows say, and that a file which was
// changed in any byte is refused.
#include "services/collector/ebpf/unwind/table.h"

#include <cstdlib>
#include <fstream>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include "services/collector/ebpf/unwind/table_builder.h"
#include "services/common/base/status.h"
#include "services/common/base/unique_fd.h"

namespace stoker::ebpf::unwind {
namespace {

constexpr std::uint64_t kBase = 0x400000;

class Functions {
 public:
  Functions() {
    rows_.machine = &kX64;
    rows_.text = {.base = kBase, .ranges = {{0, 0x100000}}, .bytes = 0x100000};
  }

  // A function of rows {offset in it, CFA offset from sp}.
  void Add(std::uint32_t begin, std::uint32_t size,
           std::initializer_list<std::pair<std::uint32_t, int>> rows) {
    RowRange range = {.begin = begin,
                      .end = begin + size,
                      .first_row = static_cast<std::uint32_t>(rows_.rows.rows.size())};
    for (const auto& [offset, cfa] : rows) {
      const RuleId rule = rows_.rules.Intern({.cfa = STOKER_CFA_SP, .cfa_offset = cfa});
      rows_.rows.rows.push_back({begin + offset, rule});
    }
    range.row_count = static_cast<std::uint32_t>(rows.size());
    rows_.ranges.push_back(range);
  }

  [[nodiscard]] std::string Bytes() const { return ToBytes(BuildTable(rows_)); }
  [[nodiscard]] const ElfRows& rows() const { return rows_; }

 private:
  ElfRows rows_;
};

// The offset of the CFA at an address; 0: nothing is known.
int CfaAt(const Table& table, std::uint64_t offset) {
  const Rule& rule = table.Lookup(kBase + offset);
  return rule.cfa == STOKER_CFA_SP ? rule.cfa_offset : 0;
}

TEST(TableTest, AnswersForEveryAddress) {
  Functions functions;
  functions.Add(0x100, 0x40, {{0, 8}, {1, 16}, {4, 24}, {0x3f, 8}});
  // After padding.
  functions.Add(0x14f, 0x11, {{0, 8}, {2, 32}});
  // After a gap.
  functions.Add(0x180, 0x10, {{0, 8}});
  // Over three pages.
  functions.Add(0xfff0, 0x20100, {{0, 8}, {4, 48}, {0x20000, 56}});
  const auto table = Table::FromBytes(functions.Bytes());
  ASSERT_TRUE(table.ok()) << table.status();
  const Table& found = **table;
  EXPECT_EQ(CfaAt(found, 0), 0);
  EXPECT_EQ(CfaAt(found, 0xff), 0);
  EXPECT_EQ(CfaAt(found, 0x100), 8);
  EXPECT_EQ(CfaAt(found, 0x103), 16);
  EXPECT_EQ(CfaAt(found, 0x104), 24);
  EXPECT_EQ(CfaAt(found, 0x13e), 24);
  EXPECT_EQ(CfaAt(found, 0x13f), 8);
  EXPECT_EQ(CfaAt(found, 0x14e), 8);
  EXPECT_EQ(CfaAt(found, 0x151), 32);
  EXPECT_EQ(CfaAt(found, 0x160), 0);
  EXPECT_EQ(CfaAt(found, 0x180), 8);
  EXPECT_EQ(CfaAt(found, 0x190), 0);
  EXPECT_EQ(CfaAt(found, 0xfff3), 8);
  EXPECT_EQ(CfaAt(found, 0xffff), 48);
  EXPECT_EQ(CfaAt(found, 0x10000), 48);
  EXPECT_EQ(CfaAt(found, 0x1ffff), 48);
  EXPECT_EQ(CfaAt(found, 0x20001), 48);
  EXPECT_EQ(CfaAt(found, 0x2fff0), 56);
  EXPECT_EQ(CfaAt(found, 0x300ef), 56);
  EXPECT_EQ(CfaAt(found, 0x300f0), 0);
  EXPECT_EQ(CfaAt(found, 0x40000), 0);
  EXPECT_EQ(found.pages().size(), 4U);
  EXPECT_EQ(found.FindPage((kBase >> STOKER_UNWIND_PAGE_BITS) + 4), nullptr);
}

TEST(TableTest, TheLaterOfOverlappingFunctionsCounts) {
  Functions functions;
  functions.Add(0x100, 0x100, {{0, 8}, {0x80, 16}});
  functions.Add(0x140, 0x20, {{0, 32}});
  const auto table = Table::FromBytes(functions.Bytes());
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_EQ(CfaAt(**table, 0x13f), 8);
  EXPECT_EQ(CfaAt(**table, 0x140), 32);
  EXPECT_EQ(CfaAt(**table, 0x180), 0);
}

TEST(TableTest, APageThatIsTooDenseSaysSo) {
  Functions functions;
  // A rule of its own for every byte: no page holds that.
  std::vector<std::pair<std::uint32_t, int>> rows;
  for (std::uint32_t i = 0; i < 0x10000; ++i) functions.Add(i, 1, {{0, static_cast<int>(i * 8)}});
  functions.Add(0x10000, 0x10, {{0, 8}});
  const TableContent content = BuildTable(functions.rows());
  EXPECT_EQ(content.dense_pages, 1U);
  const auto table = Table::FromBytes(ToBytes(content));
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_EQ((*table)->Lookup(kBase + 0x100).cfa, STOKER_CFA_UNSUPPORTED);
  EXPECT_EQ(CfaAt(**table, 0x10000), 8);
}

TEST(TableTest, MapsTheFileThatWasWritten) {
  Functions functions;
  functions.Add(0x100, 0x40, {{0, 8}, {1, 16}});
  const UniqueFd fd(memfd_create("table", MFD_CLOEXEC));
  ASSERT_TRUE(WriteTable(BuildTable(functions.rows()), fd.get()).ok());
  const auto table = Table::Open(fd.get());
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_EQ(CfaAt(**table, 0x101), 16);
  EXPECT_EQ((*table)->header().text_bytes, 0x100000U);
}

// Kilobytes that this process has in memory of mappings whose name contains `name`.
int ResidentKilobytes(const std::string& name) {
  std::ifstream smaps("/proc/self/smaps");
  int sum = 0;
  bool counts = false;
  for (std::string line; std::getline(smaps, line);) {
    if (line.find('-') < line.find(':')) counts = line.find(name) != std::string::npos;
    if (counts && line.starts_with("Rss:")) sum += std::atoi(line.c_str() + 4);
  }
  return sum;
}

TEST(TableTest, TakesMemoryForWhatIsRead) {
  Functions functions;
  // Distances that do not repeat do not fold.
  for (std::uint32_t i = 0; i < 20'000; ++i) {
    functions.Add(i * 50, 50, {{0, 8}, {1 + i % 7, 16 + static_cast<int>(i % 11) * 8}});
  }
  const UniqueFd fd(memfd_create("unwind-table-test", MFD_CLOEXEC));
  ASSERT_TRUE(WriteTable(BuildTable(functions.rows()), fd.get()).ok());
  const auto table = Table::Open(fd.get());
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_EQ(ResidentKilobytes("unwind-table-test"), 0);
  EXPECT_GT((*table)->header().file_bytes, 30'000U);
  EXPECT_EQ(CfaAt(**table, 0), 8);
  EXPECT_GT(ResidentKilobytes("unwind-table-test"), 0);
}

TEST(TableTest, RefusesAnyChange) {
  Functions functions;
  functions.Add(0x100, 0x40, {{0, 8}, {1, 16}, {4, 24}});
  const std::string bytes = functions.Bytes();
  ASSERT_TRUE(Table::FromBytes(bytes).ok());
  // The figures are in nobody's way, and in no checksum.
  constexpr std::size_t kFigures = offsetof(TableHeader, text_bytes);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i >= kFigures && i < sizeof(TableHeader)) continue;
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 0x21);
    EXPECT_FALSE(Table::FromBytes(changed).ok()) << i;
    EXPECT_FALSE(Table::FromBytes(bytes.substr(0, i)).ok()) << i;
  }
}

}  // namespace
}  // namespace stoker::ebpf::unwind
