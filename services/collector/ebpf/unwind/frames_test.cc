// Proves that what the assembler makes of a few functions becomes the rows in
// testdata/frames.golden, whichever section describes them.
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include <elf.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "services/collector/ebpf/unwind/elf_rows.h"
#include "services/collector/ebpf/unwind/table.h"
#include "services/collector/ebpf/unwind/table_builder.h"
#include "services/common/elf/elf_file.h"
#include "services/common/elf/symbols.h"

namespace stoker::ebpf::unwind {
namespace {

constexpr char kFolder[] = "services/collector/ebpf/unwind/";

std::string Read(const std::string& name) {
  std::ifstream file(kFolder + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// "function+offset: rule" wherever the rule changes.
std::string Rows(const std::string& bytes) {
  const elf::MemorySource source(bytes);
  const auto rows = ReadElfRows(source);
  if (!rows.ok()) return rows.status().ToString();
  const auto table = Table::FromBytes(ToBytes(BuildTable(*rows)));
  const auto file = elf::ReadElfFile(source);
  const auto symbols = elf::ReadSymbols(source, file->sections, file->elf_class);
  std::map<std::uint64_t, elf::Symbol> functions;
  for (const elf::Symbol& symbol : symbols->symbols) {
    if (symbol.size > 0) functions[symbol.address] = symbol;
  }
  std::string text;
  for (const auto& [address, symbol] : functions) {
    std::string last;
    for (std::uint64_t at = address; at < address + symbol.size; ++at) {
      const std::string rule = Describe((*table)->Lookup(at));
      if (rule != last) text += fmt::format("{}+{}: {}\n", symbol.name, at - address, rule);
      last = rule;
    }
  }
  return text;
}

TEST(FramesTest, EhFrame) { EXPECT_EQ(Rows(Read("frames.so")), Read("testdata/frames.golden")); }

TEST(FramesTest, DebugFrame) {
  EXPECT_EQ(Rows(Read("frames_debug.so")), Read("testdata/frames.golden"));
}

TEST(FramesTest, CompressedDebugFrame) {
  const std::string bytes = Read("frames_compressed.so");
  const auto file = elf::ReadElfFile(elf::MemorySource(bytes));
  ASSERT_TRUE(file.ok());
  ASSERT_NE(file->FindSection(".debug_frame")->flags & SHF_COMPRESSED, 0U);
  EXPECT_EQ(Rows(bytes), Read("testdata/frames.golden"));
}

}  // namespace
}  // namespace stoker::ebpf::unwind
