// Proves that the cache makes a table once and finds it again in memory and on disk, makes anew
// what was damaged, keeps to its bytes by removing what was used longest ago, and remembers
// refusals.
#include "services/collector/ebpf/unwind/table_cache.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <absl/synchronization/notification.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "services/collector/ebpf/open_mapped_file.h"
#include "services/collector/ebpf/unwind/table_job.h"
#include "services/common/base/status.h"
#include "services/common/elf/build_id.h"
#include "services/common/elf/inspect.h"
#include "services/common/sandbox/worker.h"

namespace stoker::ebpf::unwind {
namespace {

BinaryPtr BinaryOf(UniqueFd fd) {
  auto binary = std::make_shared<Binary>();
  const auto source = elf::OpenFdSource(fd.get());
  EXPECT_TRUE(source.ok());
  if (const auto inspection = elf::Inspect(**source); inspection.ok()) {
    binary->inspection = *inspection;
  } else {
    // Not an ELF file: who asks all the same has a key of it.
    binary->inspection.mutable_key()->set_size_bytes((*source)->size());
    binary->inspection.mutable_key()->set_content_hash(*elf::ContentHash(**source));
  }
  binary->fd = std::move(fd);
  return binary;
}

BinaryPtr BinaryAt(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_TRUE(fd.valid()) << path;
  return BinaryOf(std::move(fd));
}

const char* const kLibc = "/usr/lib/x86_64-linux-gnu/libc.so.6";
const char* const kLibm = "/usr/lib/x86_64-linux-gnu/libm.so.6";

class TableCacheTest : public testing::Test {
 protected:
  TableCacheTest() {
    folder_ = testing::TempDir() + "/unwind." +
              testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder_);
    Start();
  }
  ~TableCacheTest() override {
    cache_.reset();
    std::filesystem::remove_all(folder_);
  }

  // Another process on the same folder.
  void Start(std::uint64_t max_bytes = 64 << 20) {
    cache_.reset();
    const auto on_ready = [this] {
      absl::MutexLock lock(&mutex_);
      ++ready_;
    };
    cache_ =
        std::make_unique<TableCache>(TableCache::Options{folder_, max_bytes, on_ready}, sandbox_);
  }

  TableCache::Ready Ask(const BinaryPtr& binary) {
    cache_->Request(binary);
    absl::MutexLock lock(&mutex_);
    const auto some = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return ready_ > 0; };
    mutex_.Await(absl::Condition(&some));
    --ready_;
    auto ready = cache_->TakeReady();
    EXPECT_EQ(ready.size(), 1U);
    EXPECT_EQ(ready.at(0).binary, binary);
    return ready.at(0);
  }

  [[nodiscard]] std::vector<std::filesystem::path> Files() const {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) files.push_back(entry);
    return files;
  }

  std::string folder_;
  sandbox::Sandbox sandbox_{{.memory_bytes = kTableWorkerBytes}};
  absl::Mutex mutex_;
  int ready_ ABSL_GUARDED_BY(mutex_) = 0;
  std::unique_ptr<TableCache> cache_;
};

TEST_F(TableCacheTest, MakesATableOnce) {
  const BinaryPtr libc = BinaryAt(kLibc);
  const TableCache::Ready made = Ask(libc);
  ASSERT_NE(made.table, nullptr) << made.reason;
  EXPECT_GT(made.table->pages().size(), 10U);
  // Another file of the same content shares it.
  EXPECT_EQ(Ask(BinaryAt(kLibc)).table, made.table);
  EXPECT_EQ(cache_->counts().made, 1U);
  EXPECT_EQ(cache_->counts().from_memory, 1U);

  Start();
  const TableCache::Ready found = Ask(libc);
  ASSERT_NE(found.table, nullptr) << found.reason;
  EXPECT_EQ(cache_->counts().made, 0U);
  EXPECT_EQ(cache_->counts().from_folder, 1U);
  EXPECT_EQ(found.table->header().checksum, made.table->header().checksum);
}

TEST_F(TableCacheTest, MakesAnewWhatWasDamaged) {
  const BinaryPtr libc = BinaryAt(kLibc);
  const std::uint64_t checksum = Ask(libc).table->header().checksum;
  ASSERT_EQ(Files().size(), 1U);
  {
    std::fstream file(Files()[0], std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(5000);
    file.write("damage", 6);
  }
  Start();
  const TableCache::Ready again = Ask(libc);
  ASSERT_NE(again.table, nullptr) << again.reason;
  EXPECT_EQ(again.table->header().checksum, checksum);
  EXPECT_EQ(cache_->counts().made, 1U);
}

TEST_F(TableCacheTest, RemovesWhatWasUsedLongestAgo) {
  const BinaryPtr libc = BinaryAt(kLibc);
  const BinaryPtr libm = BinaryAt(kLibm);
  const BinaryPtr self = BinaryAt("/proc/self/exe");
  ASSERT_NE(Ask(libc).table, nullptr);
  ASSERT_NE(Ask(libm).table, nullptr);
  const std::uint64_t both = cache_->counts().folder_bytes;
  // Room for the two of them less a byte: the third drives out what has to go.
  Start(both + 1);
  ASSERT_NE(Ask(libc).table, nullptr);
  ASSERT_NE(Ask(self).table, nullptr);
  EXPECT_LE(cache_->counts().folder_bytes, both + 1);
  EXPECT_GE(cache_->counts().folder_removed, 1U);
  // Of the two, libm was used longer ago.
  EXPECT_FALSE(
      std::filesystem::exists(folder_ + "/" + TableFolder::NameOf(libm->inspection.key())));
}

TEST_F(TableCacheTest, ServesFromMemoryWhereNothingCanBeStored) {
  folder_ += "/a file/unwind";
  std::filesystem::create_directories(std::filesystem::path(folder_).parent_path().parent_path());
  std::ofstream(std::filesystem::path(folder_).parent_path()) << "no folder";
  Start();
  const TableCache::Ready ready = Ask(BinaryAt(kLibc));
  ASSERT_NE(ready.table, nullptr) << ready.reason;
  EXPECT_EQ(cache_->counts().not_stored, 1U);
  folder_ = std::filesystem::path(folder_).parent_path().parent_path();
}

TEST_F(TableCacheTest, TheVdsoHasATable) {
  absl::StatusOr<UniqueFd> vdso = OpenVdso();
  ASSERT_TRUE(vdso.ok());
  const TableCache::Ready ready = Ask(BinaryOf(*std::move(vdso)));
  ASSERT_NE(ready.table, nullptr) << ready.reason;
  EXPECT_EQ(ready.table->header().machine, 62U);
}

TEST_F(TableCacheTest, SaysWhyThereIsNone) {
  UniqueFd fd(memfd_create("text", MFD_CLOEXEC));
  ASSERT_EQ(write(fd.get(), "#!/bin/sh", 9), 9);
  const BinaryPtr text = BinaryOf(std::move(fd));
  const std::string reason = Ask(text).reason;
  EXPECT_NE(reason, "");
  EXPECT_EQ(Ask(text).reason, reason);
  EXPECT_EQ(cache_->counts().refused, 2U);

  auto unreadable = std::make_shared<Binary>();
  unreadable->unreadable_reason = "the file system does not answer";
  EXPECT_EQ(Ask(unreadable).reason, "the file system does not answer");
}

}  // namespace
}  // namespace stoker::ebpf::unwind

int main(int argc, char** argv) {
  namespace unwind = stoker::ebpf::unwind;
  const stoker::sandbox::Jobs jobs = {{unwind::kTableJob, unwind::TableJob}};
  if (stoker::sandbox::IsWorker(argc, argv)) return stoker::sandbox::RunWorker(argv, jobs);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
