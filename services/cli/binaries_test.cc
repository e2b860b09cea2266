#include "services/cli/binaries.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stoker::cli {
namespace {

namespace fs = std::filesystem;

class BinariesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(::testing::TempDir()) / "binaries_test";
    fs::remove_all(root_);
  }
  std::string Make(const std::string& path) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << "#!/bin/sh\n";
    fs::permissions(root_ / path, fs::perms::owner_all);
    return root_ / path;
  }
  fs::path root_;
};

// In the build's output binaries lie in folders beside the command's.
TEST_F(BinariesTest, Siblings) {
  const std::string store = Make("services/store/stoker-store");
  const std::string collector = Make("services/collector/ebpf/stoker-ebpf-collector");
  const BinarySearch search{.bin_dir = "", .own_dir = root_ / "services/cli", .path = ""};
  EXPECT_EQ(*FindBinary(search, "store"), store);
  EXPECT_EQ(*FindBinary(search, "ebpf-collector"), collector);
}

// --bin-dir is final; PATH comes last.
TEST_F(BinariesTest, Order) {
  const std::string beside = Make("a/stoker-store");
  const std::string in_path = Make("p/stoker-store");
  EXPECT_EQ(*FindBinary({.bin_dir = "", .own_dir = root_ / "a", .path = root_ / "p"}, "store"),
            beside);
  fs::remove(beside);
  fs::create_directories(root_ / "other/cli");
  EXPECT_EQ(
      *FindBinary({.bin_dir = "", .own_dir = root_ / "other/cli", .path = root_ / "p"}, "store"),
      in_path);
  const auto missing =
      FindBinary({.bin_dir = root_ / "a", .own_dir = "", .path = root_ / "p"}, "store");
  EXPECT_THAT(std::string(missing.status().message()), ::testing::HasSubstr("--bin-dir"));
}

}  // namespace
}  // namespace stoker::cli
