#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "services/common/elf/byte_source.h"
#include "services/common/elf/elf_file.h"
#include "services/common/elf/function_ranges.h"
#include "services/common/elf/symbols.h"
#include "services/symbolizer/table/elf_table.h"
#include "services/symbolizer/table/table.h"

namespace stoker::symbolizer {
namespace {

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::shared_ptr<const Table> TableOf(const std::string& bytes) {
  const elf::MemorySource source(bytes);
  const auto file = elf::ReadElfFile(source);
  EXPECT_TRUE(file.ok()) << file.status();
  const auto table = MakeElfTable(source, file->sections, file->elf_class, kTableIsFull);
  EXPECT_TRUE(table.ok()) << table.status();
  const std::string path =
      fmt::format("{}/{}_{}.table", ::testing::TempDir(), getpid(), bytes.size());
  std::ofstream(path, std::ios::binary) << *table;
  auto opened = Table::Open(path);
  EXPECT_TRUE(opened.ok()) << opened.status();
  return *std::move(opened);
}

// All chains that the addresses of a function have, as "name file:line (start line) <- …".
std::set<std::string> ChainsOf(const std::string& bytes, const std::string& function) {
  const elf::MemorySource source(bytes);
  const auto file = elf::ReadElfFile(source);
  auto list = elf::ReadSymbols(source, file->sections, file->elf_class);
  const auto table = TableOf(bytes);
  EXPECT_EQ(table->notes(), "");
  EXPECT_TRUE(table->full());
  std::set<std::string> chains;
  for (const auto& range : elf::ToFunctionRanges(std::move(list->symbols), file->sections)) {
    if (range.name != function) continue;
    for (std::uint64_t address = range.begin; address < range.end; ++address) {
      std::vector<Table::Frame> frames;
      table->Find(address, frames);
      std::string chain;
      for (const Table::Frame& frame : frames) {
        const std::string path = table->Path(frame.file);
        chain += fmt::format("{} {}:{} ({}) <- ", table->Text(frame.name),
                             path.substr(path.rfind('/') + 1), frame.line, frame.start_line);
      }
      chains.insert(chain);
    }
  }
  return chains;
}

class DwarfTest : public ::testing::TestWithParam<const char*> {};

// Of each version of DWARF: names are mangled, the innermost inlined function comes first, callers
// have the lines of their calls.
TEST_P(DwarfTest, InlinedChains) {
  const std::string program =
      ReadFile(std::string("services/symbolizer/dwarf/inlined_") + GetParam());
  const std::set<std::string> chains = ChainsOf(program, "_ZN4shop4SellEi");
  EXPECT_TRUE(chains.contains(
      "_ZN4shop6Basket3AddEi inlined.cc:7 (7) <- _ZN4shop4FillERNS_6BasketEi inlined.cc:13 (11) "
      "<- _ZN4shop4SellEi inlined.cc:21 (18) <- "))
      << ::testing::PrintToString(chains);
  EXPECT_TRUE(chains.contains("_ZN4shop4SellEi inlined.cc:20 (18) <- "))
      << ::testing::PrintToString(chains);
}

INSTANTIATE_TEST_SUITE_P(Versions, DwarfTest,
                         ::testing::Values("2", "3", "4", "5", "compressed", "gnu_compressed"));

// Sections that are damaged cost what they say, never more: symbols stay.
TEST_P(DwarfTest, Damage) {
  const std::string program =
      ReadFile(std::string("services/symbolizer/dwarf/inlined_") + GetParam());
  const auto file = elf::ReadElfFile(elf::MemorySource(program));
  std::uint64_t damaged = 0;
  for (const elf::Section& section : file->sections) {
    if (!section.name.starts_with(".debug") && !section.name.starts_with(".zdebug")) continue;
    for (std::uint64_t i = 0; i < section.size; i += 1 + section.size / 16) {
      std::string bytes = program;
      std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(section.offset + i),
                  std::min<std::uint64_t>(8, section.size - i), '\xff');
      const auto table = TableOf(bytes);
      EXPECT_GT(table->ranges(), 0U);
      ++damaged;
    }
  }
  EXPECT_GT(damaged, 40U);
}

}  // namespace
}  // namespace stoker::symbolizer
