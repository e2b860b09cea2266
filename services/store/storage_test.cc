#include "services/store/storage.h"

#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "services/common/base/status.h"
#include "services/common/pprof/profile_builder.h"
#include "services/common/testing/fake_clock.h"
#include "services/store/query.h"

namespace stoker::store {
namespace {

class StorageTest : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.dir = ::testing::TempDir() + "/" +
                   ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(options_.dir);
    Open();
  }

  void Open() {
    storage_.reset();
    auto storage = Storage::Open(options_, clock_);
    ASSERT_TRUE(storage.ok()) << Message(storage.status());
    storage_ = *std::move(storage);
  }

  // One sample of `value` in main;`function`, now.
  std::string Profile(const std::string& function, std::int64_t value) const {
    pprof::ProfileBuilder builder;
    builder.AddSampleType("cpu", "nanoseconds");
    builder.SetPeriod("cpu", "nanoseconds", 1);
    builder.SetTime(absl::ToUnixNanos(clock_.Now()), 0);
    const std::uint64_t main = builder.AddFunction({.name = "main"});
    const std::uint64_t leaf = builder.AddFunction({.name = function});
    const std::vector<std::uint64_t> stack = {builder.AddLocation(0, 0, {{leaf, 1}}),
                                              builder.AddLocation(0, 0, {{main, 1}})};
    builder.AddSample(stack, std::vector<std::int64_t>{value});
    return std::move(builder).FinishGzip();
  }

  Storage::Pushed Push(const std::string& raw, const std::string& id) {
    const model::Labels labels = {{"__name__", "process_cpu"}, {"service_name", "app"}};
    const auto pushed = storage_->Push(labels, raw, id);
    EXPECT_TRUE(pushed.ok()) << Message(pushed.status());
    return pushed.ok() ? *pushed : Storage::Pushed();
  }

  // Makes the head a block.
  void Seal() {
    clock_.Advance(options_.max_head_age);
    const absl::Status status = storage_->Maintain();
    EXPECT_TRUE(status.ok()) << Message(status);
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(options_.dir + "/blocks"), {}),
              static_cast<std::ptrdiff_t>(storage_->sizes().blocks));
  }

  std::int64_t Total(const TimeRange& range = {}) const {
    const Query query(*storage_, range);
    const auto series = query.Series(Selector());
    const auto tree = query.MergeTree(*series);
    EXPECT_TRUE(tree.ok()) << Message(tree.status());
    std::int64_t of_rows = 0;
    EXPECT_TRUE(
        query.ForEachRow(*series, [&](const ProfileRow& row) { of_rows += row.total; }).ok());
    EXPECT_EQ(of_rows, tree->total());
    return tree->total();
  }

  [[nodiscard]] std::vector<std::string> BlockFiles() const {
    std::vector<std::string> paths;
    for (const auto& entry : std::filesystem::directory_iterator(options_.dir + "/blocks")) {
      if (entry.path().extension() == ".block") paths.push_back(entry.path());
    }
    return paths;
  }

  StorageOptions options_;
  stoker::testing::FakeClock clock_;
  std::unique_ptr<Storage> storage_;
};

// A sealed head is a block that answers the same, also after a restart, and its log is gone.
TEST_F(StorageTest, SealsAndRestarts) {
  Push(Profile("a", 1), "1");
  Push(Profile("b", 2), "2");
  Seal();
  EXPECT_EQ(storage_->sizes().blocks, 1);
  EXPECT_EQ(Total(), 3);
  EXPECT_FALSE(std::filesystem::exists(options_.dir + "/head-1.log"));
  Push(Profile("a", 4), "3");
  EXPECT_EQ(Total(), 7);
  Open();
  EXPECT_EQ(storage_->sizes().blocks, 1);
  EXPECT_EQ(Total(), 7);
}

// A profile that is in a block is known by its ID, before and after a restart.
TEST_F(StorageTest, DeduplicatesAgainstBlocks) {
  const std::string raw = Profile("a", 1);
  Push(raw, "1");
  Seal();
  EXPECT_TRUE(Push(raw, "1").duplicate);
  Open();
  EXPECT_TRUE(Push(raw, "1").duplicate);
  EXPECT_FALSE(Push(raw, "2").duplicate);
  EXPECT_EQ(Total(), 2);
}

// Blocks of one partition become one with the same content; keys stay known.
TEST_F(StorageTest, Compacts) {
  options_.max_head_age = absl::Seconds(1);
  Open();
  std::string first;
  for (int i = 0; i < 4; ++i) {
    const std::string raw = Profile("f" + std::to_string(i % 2), 1 << i);
    if (i == 0) first = raw;
    Push(raw, std::to_string(i));
    Seal();
  }
  EXPECT_EQ(storage_->sizes().blocks, 1);
  EXPECT_EQ(Total(), 15);
  EXPECT_TRUE(Push(first, "0").duplicate);
  Open();
  EXPECT_EQ(Total(), 15);
  EXPECT_EQ(BlockFiles().size(), 1);
}

// Profiles of two hours make two blocks; a query of one reads that alone.
TEST_F(StorageTest, Partitions) {
  Push(Profile("a", 1), "1");
  clock_.Advance(absl::Minutes(70));
  Push(Profile("a", 2), "2");
  const TimeRange last = {.start = absl::ToUnixNanos(clock_.Now())};
  Seal();
  EXPECT_EQ(storage_->sizes().blocks, 2);
  EXPECT_EQ(Total(last), 2);
  EXPECT_EQ(Total(), 3);
}

// What is older than max_age goes, its file too.
TEST_F(StorageTest, RetentionByAge) {
  Push(Profile("a", 1), "1");
  Seal();
  clock_.Advance(options_.max_age);
  Push(Profile("a", 2), "2");
  Seal();
  EXPECT_EQ(Total(), 2);
  EXPECT_EQ(BlockFiles().size(), 1);
  Open();
  EXPECT_EQ(Total(), 2);
}

// Over max_block_bytes the oldest go.
TEST_F(StorageTest, RetentionBySize) {
  Push(Profile("a", 1), "1");
  Seal();
  const std::uint64_t bytes = storage_->sizes().block_bytes;
  options_.max_block_bytes = bytes + bytes / 2;
  Open();
  clock_.Advance(absl::Hours(2));
  Push(Profile("b", 2), "2");
  Seal();
  EXPECT_EQ(Total(), 2);
  EXPECT_EQ(BlockFiles().size(), 1);
}

// Wherever a block is damaged, a byte or its end, it is set aside and counted, and the rest is
// served, also by the process that had it open.
TEST_F(StorageTest, DamagedBlock) {
  Push(Profile("a", 1), "1");
  Seal();
  const std::string path = BlockFiles().at(0);
  clock_.Advance(absl::Hours(2));
  Push(Profile("a", 2), "2");
  Seal();
  const auto size = static_cast<std::int64_t>(std::filesystem::file_size(path));
  std::filesystem::copy(options_.dir, options_.dir + ".whole",
                        std::filesystem::copy_options::recursive);
  std::set<std::int64_t> places = {20, size - 1, size - 20};
  for (std::int64_t at = 8; at < size; at += 7) places.insert(at);
  for (const std::int64_t at : places) {
    SCOPED_TRACE(at);
    storage_.reset();
    std::filesystem::remove_all(options_.dir);
    std::filesystem::copy(options_.dir + ".whole", options_.dir,
                          std::filesystem::copy_options::recursive);
    Open();
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    const int whole = file.seekg(at).get();
    file.seekp(at).put(static_cast<char>(whole ^ 0x55));
    file.close();
    EXPECT_EQ(Total(), 2);
    EXPECT_TRUE(storage_->Maintain().ok());
    EXPECT_TRUE(std::filesystem::exists(path + ".damaged"));
    EXPECT_EQ(BlockFiles().size(), 1);
    EXPECT_EQ(storage_->sizes().damaged_blocks, 1);
    Open();
    EXPECT_EQ(Total(), 2);
    EXPECT_EQ(storage_->sizes().damaged_blocks, 1);
  }
  for (const std::int64_t left : {std::int64_t{0}, size / 2, size - 1}) {
    SCOPED_TRACE(left);
    storage_.reset();
    std::filesystem::remove_all(options_.dir);
    std::filesystem::copy(options_.dir + ".whole", options_.dir,
                          std::filesystem::copy_options::recursive);
    std::filesystem::resize_file(path, static_cast<std::uintmax_t>(left));
    Open();
    EXPECT_EQ(Total(), 2);
    EXPECT_TRUE(storage_->Maintain().ok());
    EXPECT_EQ(storage_->sizes().damaged_blocks, 1);
  }
  std::filesystem::remove_all(options_.dir + ".whole");
}

// A lost or damaged index is made again from the blocks; nothing is lost or doubled.
TEST_F(StorageTest, IndexMadeAgain) {
  Push(Profile("a", 1), "1");
  Seal();
  Push(Profile("a", 2), "2");
  storage_.reset();
  for (const char* const file : {"/index.db", "/index.db-wal", "/index.db-shm"}) {
    std::filesystem::remove(options_.dir + file);
  }
  Open();
  EXPECT_EQ(Total(), 3);
  storage_.reset();
  std::ofstream(options_.dir + "/index.db", std::ios::trunc) << std::string(8192, 'x');
  Open();
  EXPECT_EQ(Total(), 3);
  EXPECT_TRUE(std::filesystem::exists(options_.dir + "/index.db.damaged"));
}

// A block that a kill left outside the index goes: its profiles are in the log still.
TEST_F(StorageTest, OrphanBlock) {
  Push(Profile("a", 1), "1");
  Seal();
  std::filesystem::copy_file(BlockFiles().at(0), options_.dir + "/blocks/99.block");
  std::ofstream(options_.dir + "/blocks/100.block.tmp") << "half";
  Open();
  EXPECT_EQ(Total(), 1);
  EXPECT_EQ(BlockFiles().size(), 1);
}

// Two processes do not share a folder.
TEST_F(StorageTest, OneProcess) {
  const auto second = Storage::Open(options_, clock_);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace stoker::store
