// Proves that Go's tables of functions of every layout become the rows they mean, wherever the
// linker put the table and the address that they count from.
#include "services/collector/ebpf/unwind/go_line_table.h"

#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/collector/ebpf/unwind/elf_rows.h"
#include "services/collector/ebpf/unwind/fake_elf.h"
#include "services/collector/ebpf/unwind/fake_go_table.h"

namespace stoker::ebpf::unwind {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::uint64_t kText = 0x401000;
constexpr std::uint8_t kTopFrame = 1;
constexpr std::uint8_t kWritesSp = 2;

std::vector<std::string> Texts(const RowSet& rows, const RuleSet& rules, std::uint64_t base) {
  std::vector<std::string> texts;
  for (const Row& row : rows.rows) {
    texts.push_back(
        fmt::format("{:x}: {}", base + row.offset - kText, Describe(rules.rules()[row.rule])));
  }
  return texts;
}

std::vector<std::string> ElfTexts(const FakeElf& elf) {
  const std::string bytes = elf.Bytes();
  const auto rows = ReadElfRows(elf::MemorySource(bytes));
  if (!rows.ok()) return {std::string(rows.status().message())};
  return Texts(rows->rows, rows->rules, rows->text.base);
}

FakeGoTable TestTable(int layout, std::uint64_t text_start) {
  FakeGoTable table(layout, text_start);
  const std::uint64_t begin = layout == 116 ? kText : 0;
  table.Function(begin, "main.main", 0, {{0, 4}, {8, 3}, {136, 60}, {8, 1}, {0, 1}});
  // 11 bytes of padding before it.
  table.Function(begin + 0x50, "runtime.goexit.abi0", kTopFrame, {{0, 16}});
  table.Function(begin + 0x60, "runtime.systemstack.abi0", kWritesSp, {{0, 4}, {8, 12}});
  table.Function(begin + 0x70, "runtime.sigreturn__sigaction.abi0", 4, {{0, 16}});
  table.Function(begin + 0x80, "runtime.sigtramp.abi0", kTopFrame, {{0, 1}, {56, 15}});
  table.Function(begin + 0x90, "runtime.mcall", kWritesSp, {{0, 16}});
  return table;
}

const auto kExpected = ElementsAre(
    "0: cfa=sp+8", "4: cfa=sp+16 bp=*(cfa-16)", "7: cfa=sp+144 bp=*(cfa-16)",
    "43: cfa=sp+16 bp=*(cfa-16)", "44: cfa=sp+8", "50: end", "60: frame pointer",
    "6f: signal ucontext=sp+0", "80: cfa=sp+8", "81: cfa=sp+64 bp=*(cfa-16)", "90: end");

class GoLayoutTest : public testing::TestWithParam<int> {};

TEST_P(GoLayoutTest, RowsOfFunctions) {
  const std::uint64_t end = GetParam() == 116 ? kText + 0xa0 : 0xa0;
  const std::string bytes = TestTable(GetParam(), kText).Bytes(end);
  const auto table = GoLineTable::Open(bytes);
  ASSERT_TRUE(table);
  EXPECT_EQ(table->IsRelative(), GetParam() != 116);
  EXPECT_EQ(table->end(), end);
  const Text text = {.base = 0x400000, .ranges = {{0x1000, 0x2000}}};
  RuleSet rules;
  RowSet rows;
  table->AddRows(table->text_start(), text, rules, rows);
  EXPECT_THAT(Texts(rows, rules, text.base), kExpected);
  EXPECT_EQ(rows.malformed, 0U);
  // Functions end where their tables do.
  EXPECT_EQ(rows.ranges.at(0).end, 0x1045U);

  // Any prefix is read, or refused.
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto cut = GoLineTable::Open(std::string_view(bytes).substr(0, size));
    RowSet some;
    if (cut) cut->AddRows(kText, text, rules, some);
    EXPECT_LE(some.ranges.size(), rows.ranges.size());
  }
}

INSTANTIATE_TEST_SUITE_P(All, GoLayoutTest, testing::Values(116, 118, 120));

// Where Go's linker put everything, up to Go 1.25.
TEST(GoBinaryTest, TheTableSaysWhereTextBegins) {
  FakeElf elf;
  elf.Code(0x400000, "", 0x3000).Section(".gopclntab", 0x500000, TestTable(120, kText).Bytes(0xa0));
  EXPECT_THAT(ElfTexts(elf), kExpected);
}

// runtime.moduledata of Go 1.26, in a section of its own.
TEST(GoBinaryTest, ModuleDataSaysWhereTextBegins) {
  std::string module(256, '\0');
  const std::uint64_t table = 0x500000;
  for (const auto& [at, value] : {std::pair{8, table}, {8 + 160, kText}, {8 + 176, kText}}) {
    std::memcpy(module.data() + at, &value, sizeof value);
  }
  FakeElf elf;
  elf.Code(0x400000, "", 0x3000)
      .Section(".text", 0x400000, std::string(16, '\x90'), SHF_ALLOC | SHF_EXECINSTR)
      .Section(".gopclntab", table, TestTable(120, 0).Bytes(0xa0))
      .Section(".go.module", 0x600000, module);
  EXPECT_THAT(ElfTexts(elf), kExpected);
}

// The same of a position-independent program that another linker linked: words are relocations, and
// the table has no section of its own.
TEST(GoBinaryTest, RelocationsSayWhereTextBegins) {
  std::string relocations;
  const std::uint64_t table = 0x500010;
  for (const auto& [at, value] : {std::pair{0x600000UL, table}, {0x6000b0UL, kText}}) {
    FakeGoTable::Number(relocations, at, 8);
    FakeGoTable::Number(relocations, 8, 8);
    FakeGoTable::Number(relocations, value, 8);
  }
  FakeElf elf;
  elf.Code(0x400000, "", 0x3000)
      .Section(".go.buildinfo", 0x610000, "go")
      .Section(".data.rel.ro", 0x500000, std::string(16, 'x') + TestTable(120, 0).Bytes(0xa0))
      .Section(".rela.dyn", 0x700000, relocations);
  EXPECT_THAT(ElfTexts(elf), kExpected);
}

TEST(GoBinaryTest, WithoutATextNothingIsGuessed) {
  FakeElf elf;
  elf.Code(0x400000, "", 0x3000).Section(".gopclntab", 0x500000, TestTable(120, 0).Bytes(0xa0));
  EXPECT_THAT(ElfTexts(elf), IsEmpty());
}

}  // namespace
}  // namespace stoker::ebpf::unwind
