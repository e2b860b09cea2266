#include "services/symbolizer/go/go_tables.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "services/symbolizer/table/code_map.h"
#include "services/symbolizer/table/table.h"
#include "services/symbolizer/table/table_format.h"
#include "services/symbolizer/table/table_writer.h"

namespace stoker::symbolizer {
namespace {

template <typename T>
void Put(std::string& to, T value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

// A table as Go 1.20 writes it: main.sell at text + 0x10, 0x20 bytes long; bytes 8 to 16 of it were
// inlined from elsewhere.
std::string MakeTable() {
  const std::string names = std::string("\0main.sell\0", 11);
  std::string units;
  Put<std::uint32_t>(units, 0);
  const std::string files = std::string("/src/shop/sell.go\0", 18);
  // Tables of values begin with one that nobody has, so that no offset is 0.
  std::string values(1, '\0');
  const auto table = [&values](std::initializer_list<int> bytes) {
    const auto offset = static_cast<std::uint32_t>(values.size());
    for (const int byte : bytes) values.push_back(static_cast<char>(byte));
    values.push_back('\0');
    return offset;
  };
  // From -1: to file 0 for 0x20 bytes.
  const std::uint32_t pcfile = table({2, 0x20});
  // From -1 to line 10 for 8 bytes, to line 40 for 8, back to line 12 for 0x10.
  const std::uint32_t pcln = table({22, 8, 60, 8, 55, 0x10});
  // From -1: outside, then in inlined call 0, then outside.
  const std::uint32_t inlined = table({0, 8, 2, 8, 1, 0x10});
  std::string functions;
  Put<std::uint32_t>(functions, 0x10);  // begins
  Put<std::uint32_t>(functions, 12);    // stands at
  Put<std::uint32_t>(functions, 0x30);  // ends
  for (const std::uint32_t value : {0x10U, 1U, 0U, 0U, 0U, pcfile, pcln, 3U, 0U, 9U, 0U}) {
    Put(functions, value);
  }
  for (const std::uint32_t value : {0U, 0U, inlined}) Put(functions, value);

  std::string bytes;
  Put<std::uint32_t>(bytes, 0xffff'fff1);
  Put<std::uint16_t>(bytes, 0);
  bytes.push_back(1);
  bytes.push_back(8);
  std::uint64_t at = 72;
  Put<std::uint64_t>(bytes, 1);         // functions
  Put<std::uint64_t>(bytes, 1);         // files
  Put<std::uint64_t>(bytes, 0x400000);  // text
  for (const std::string& part : {names, units, files, values, functions}) {
    Put<std::uint64_t>(bytes, at);
    at += part.size();
  }
  return bytes + names + units + files + values + functions;
}

std::string Describe(const Table& table, std::uint64_t address) {
  std::vector<Table::Frame> frames;
  table.Find(address, frames);
  std::string text;
  for (const Table::Frame& frame : frames) {
    text += std::string(table.Text(frame.name)) + " " + table.Path(frame.file) + ":" +
            std::to_string(frame.line) + " (" + std::to_string(frame.start_line) + ")";
  }
  return text;
}

// Functions, files, lines and the declaration's line; of code that was inlined the line is unknown
// rather than that of another function.
TEST(GoTablesTest, FunctionsAndLines) {
  CodeMap map;
  ASSERT_TRUE(ReadGoTables(MakeTable(), 0, map));
  const auto bytes = WriteTable({}, map, kTableIsFull, {});
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  const auto table = *Table::View(*bytes);
  EXPECT_EQ(Describe(*table, 0x40000f), "");
  EXPECT_EQ(Describe(*table, 0x400010), "main.sell /src/shop/sell.go:10 (9)");
  EXPECT_EQ(Describe(*table, 0x400017), "main.sell /src/shop/sell.go:10 (9)");
  EXPECT_EQ(Describe(*table, 0x400018), "main.sell :0 (9)");
  EXPECT_EQ(Describe(*table, 0x400020), "main.sell /src/shop/sell.go:12 (9)");
  EXPECT_EQ(Describe(*table, 0x40002f), "main.sell /src/shop/sell.go:12 (9)");
  EXPECT_EQ(Describe(*table, 0x400030), "");
}

// Any cut, and any byte of another value, is survived; another magic is no table.
TEST(GoTablesTest, Damage) {
  const std::string whole = MakeTable();
  for (std::size_t i = 0; i < whole.size(); ++i) {
    CodeMap cut;
    ReadGoTables(whole.substr(0, i), 0, cut);
    std::string damaged = whole;
    damaged[i] = static_cast<char>(~damaged[i]);
    CodeMap map;
    const bool read = ReadGoTables(damaged, 0, map);
    if (i < 4) {
      EXPECT_FALSE(read) << i;
    }
  }
}

}  // namespace
}  // namespace stoker::symbolizer
