// Proves that the kernel's tables hold offsets, not addresses, and that modules have their own.
#include "services/collector/ebpf/kernel_symbols.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stoker::ebpf {
namespace {

using testing::ElementsAre;

class KernelSymbolsTest : public testing::Test {
 protected:
  KernelSymbolsTest() : root_(std::string(std::getenv("TEST_TMPDIR")) + "/root") {
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_ + "/proc");
  }

  void Write(const std::string& path, const std::string& text) {
    std::ofstream(root_ + path) << text;
  }

  static symbol::v1::KernelTable TableOf(const KernelRegion& region) {
    symbol::v1::KernelTable table;
    EXPECT_TRUE(table.ParseFromString(region.table));
    return table;
  }

  const std::string root_;
};

TEST_F(KernelSymbolsTest, SeparatesImageAndModules) {
  Write("/proc/modules", "ext4 4096 1 jbd2, Live 0xffffffffc0000000\n");
  Write("/proc/kallsyms",
        "ffffffff81000000 T _text\n"
        "ffffffff81000020 t local_name\n"
        "ffffffff81000020 T global_name\n"
        "ffffffff81000030 D data\n"
        "ffffffff81001000 T _etext\n"
        "ffffffffc0000010 t ext4_read\t[ext4]\n"
        "ffffffffc1000000 t bpf_prog_1\t[bpf]\n");
  const auto symbols = KernelSymbols::Load(root_);
  ASSERT_TRUE(symbols.ok()) << symbols.status();
  ASSERT_EQ(symbols->regions().size(), 2u);
  const KernelRegion& image = symbols->regions()[0];
  EXPECT_EQ(image.path, "[kernel]");
  EXPECT_THAT(TableOf(image).offset(), ElementsAre(0, 0x20));
  EXPECT_THAT(TableOf(image).name(), ElementsAre("_text", "global_name"));
  const KernelRegion& module = symbols->regions()[1];
  EXPECT_EQ(module.kind, sample::v1::Mapping::KIND_KERNEL_MODULE);
  EXPECT_EQ(module.path, "[ext4]");
  EXPECT_THAT(TableOf(module).offset(), ElementsAre(0x10));
  EXPECT_EQ(symbols->Find(0xffffffff81000025), &image);
  EXPECT_EQ(symbols->Find(0xffffffffc0000fff), &module);
  EXPECT_EQ(symbols->Find(0xffffffffc0001000), nullptr);
  EXPECT_EQ(symbols->Find(1), nullptr);
}

TEST_F(KernelSymbolsTest, SaysThatAddressesAreHidden) {
  Write("/proc/kallsyms", "0000000000000000 T _text\n0000000000000000 T _etext\n");
  const absl::Status status = KernelSymbols::Load(root_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("CAP_SYSLOG"));
}

}  // namespace
}  // namespace stoker::ebpf
