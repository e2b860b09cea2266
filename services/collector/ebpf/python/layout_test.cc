// Proves that the offsets a runtime tells become its layout, and that others are refused.
#include "services/collector/ebpf/python/layout.h"

#include <cstring>
#include <map>
#include <string>

#include <gtest/gtest.h>

namespace stoker::ebpf {
namespace {

std::string Runtime(std::uint32_t version, const std::map<int, std::uint64_t>& words) {
  std::string bytes(kPythonDebugOffsetsBytes, '\0');
  std::memcpy(bytes.data(), "xdebugpy", 8);
  std::memcpy(bytes.data() + 8, &version, sizeof version);
  for (const auto& [index, word] : words) std::memcpy(bytes.data() + index * 8, &word, sizeof word);
  return bytes;
}

// What 3.13.0's file says, as far as it is used here.
const std::map<int, std::uint64_t> kWords313 = {{35, 112}, {36, 120}, {37, 128}, {38, 136},
                                                {39, 68},  {43, 200}, {65, 16},  {66, 32},
                                                {68, 32},  {69, 16},  {70, 40}};

TEST(PythonLayoutTest, VersionsThatDoNotTell) {
  for (std::uint16_t version = 0x0308; version <= 0x030c; ++version) {
    const auto layout = FindPythonCodeLayout(version);
    ASSERT_TRUE(layout) << version;
    EXPECT_EQ(layout->version, version);
    EXPECT_EQ(layout->qualname != 0, version >= 0x030b);
    EXPECT_EQ(layout->instructions != 0, version >= 0x030b);
  }
  EXPECT_FALSE(FindPythonCodeLayout(0x0307));
  EXPECT_FALSE(FindPythonCodeLayout(0x030d));
}

TEST(PythonLayoutTest, AVersionThatTells) {
  const auto layout = ReadPythonCodeLayout(Runtime(0x030d00f0, kWords313));
  ASSERT_TRUE(layout.ok()) << layout.status();
  EXPECT_EQ(*layout, (PythonCodeLayout{.version = 0x030d,
                                       .filename = 112,
                                       .name = 120,
                                       .qualname = 128,
                                       .first_line = 68,
                                       .line_table = 136,
                                       .instructions = 200,
                                       .str_state = 32,
                                       .str_length = 16,
                                       .str_ascii = 40,
                                       .str_other = 56,
                                       .bytes_size = 16,
                                       .bytes_data = 32}));
}

TEST(PythonLayoutTest, OthersAreRefused) {
  EXPECT_FALSE(ReadPythonCodeLayout("").ok());
  EXPECT_FALSE(ReadPythonCodeLayout(std::string(kPythonDebugOffsetsBytes, 'x')).ok());
  EXPECT_FALSE(ReadPythonCodeLayout(Runtime(0x030f00f0, kWords313)).ok());
  auto words = kWords313;
  words[43] = 1 << 20;
  EXPECT_FALSE(ReadPythonCodeLayout(Runtime(0x030d00f0, words)).ok());
}

}  // namespace
}  // namespace stoker::ebpf
