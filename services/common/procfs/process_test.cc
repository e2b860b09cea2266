#include "services/common/procfs/process.h"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace stoker::procfs {
namespace {

constexpr ProcessFields kAll = kExe | kCwd | kCommandline | kCgroup | kUid;

class ProcessTest : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(root_); }

  void Write(const std::string& path, const std::string& text) const {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path, std::ios::binary) << text;
  }
  // A line of /proc/PID/stat whose field 22 is 4711.
  void WriteStat(const std::string& pid, const std::string& name) const {
    Write(pid + "/stat", pid + " (" + name + ") S 1 1 1 0 -1 4194560 9 0 0 0 0 0 0 0 20 0 1 0 " +
                             "4711 170000 200 18446744073709551615\n");
  }

  const std::filesystem::path root_ =
      std::filesystem::path(::testing::TempDir()) /
      ::testing::UnitTest::GetInstance()->current_test_info()->name();
  const ProcessReader reader_{root_};
};

// Every field, from files as the kernel writes them: a name with blanks and parentheses, arguments
// that are not UTF-8, a cgroup of version 1.
TEST_F(ProcessTest, ReadsEveryField) {
  const std::string id(64, 'c');
  WriteStat("42", "a) (b");
  Write("42/status", "Name:\ta\nUmask:\t0022\nUid:\t1000\t0\t0\t0\n");
  Write("42/cmdline", std::string("/bin/x\0-a\0\xff\0", 13));
  Write("42/cgroup", "12:rdma:/\n11:devices:/docker/" + id + "\n");
  std::filesystem::create_symlink("/usr/bin/x", root_ / "42/exe");
  std::filesystem::create_symlink("/srv", root_ / "42/cwd");
  const auto process = reader_.Read(42, kAll);
  ASSERT_TRUE(process.ok()) << process.status();
  EXPECT_EQ(*process, (Process{.key = {42, 4711},
                               .exe = "/usr/bin/x",
                               .cwd = "/srv",
                               .commandline = "/bin/x -a \uFFFD",
                               .cgroup = "12:rdma:/|11:devices:/docker/" + id,
                               .container_id = id,
                               .uid = 1000}));
}

// What cannot be read is named, what is not wanted is not read, and the rest is there.
TEST_F(ProcessTest, NamesMissingFields) {
  WriteStat("2", "kthreadd");
  Write("2/cmdline", "");
  Write("2/status", "Name:\tkthreadd\n");
  const auto process = reader_.Read(2, kExe | kCommandline | kUid);
  ASSERT_TRUE(process.ok()) << process.status();
  EXPECT_EQ(process->missing, kExe | kUid);
  EXPECT_EQ(process->denied, 0);
}

// A process that is gone is NOT_FOUND; a stat line that is cut is an error of its own.
TEST_F(ProcessTest, GoneAndCut) {
  EXPECT_EQ(reader_.Read(43, kAll).status().code(), absl::StatusCode::kNotFound);
  Write("44/stat", "44 (x) S 1 1");
  EXPECT_EQ(reader_.Read(44, kAll).status().code(), absl::StatusCode::kDataLoss);
}

// A command line without end is cut.
TEST_F(ProcessTest, BoundsTheCommandLine) {
  WriteStat("45", "x");
  Write("45/cmdline", std::string(1 << 20, 'a'));
  EXPECT_EQ(reader_.Read(45, kCommandline)->commandline.size(), 32u << 10);
}

// Only directories of processes are listed; a root that is none is an error that names it.
TEST_F(ProcessTest, Lists) {
  for (const char* name : {"1", "31337", "self", "sys", "12x", "0"}) {
    std::filesystem::create_directories(root_ / name);
  }
  auto entries = reader_.List();
  ASSERT_TRUE(entries.ok()) << entries.status();
  std::sort(entries->begin(), entries->end());
  ASSERT_EQ(entries->size(), 2u);
  EXPECT_EQ((*entries)[0].pid, 1);
  EXPECT_EQ((*entries)[1].pid, 31337);
  EXPECT_NE((*entries)[0].inode, (*entries)[1].inode);
  const auto none = ProcessReader("/nowhere").List();
  EXPECT_NE(none.status().message().find("/nowhere"), none.status().message().npos);
}

// The real /proc: this process is listed, with its own path.
TEST(ProcessReaderTest, ReadsThisProcess) {
  const ProcessReader reader;
  const auto entries = reader.List();
  ASSERT_TRUE(entries.ok()) << entries.status();
  EXPECT_TRUE(std::any_of(entries->begin(), entries->end(),
                          [](const auto& entry) { return entry.pid == getpid(); }));
  const auto process = reader.Read(getpid(), kAll);
  ASSERT_TRUE(process.ok()) << process.status();
  EXPECT_EQ(process->exe, std::filesystem::read_symlink("/proc/self/exe"));
  EXPECT_EQ(process->uid, getuid());
  EXPECT_GT(process->key.start_ticks, 0u);
  EXPECT_EQ(process->missing, 0);
}

// A zombie has no exe.
TEST(ProcessReaderTest, Zombie) {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  siginfo_t info;
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);
  const auto process = ProcessReader().Read(child, kExe);
  ASSERT_TRUE(process.ok()) << process.status();
  EXPECT_EQ(process->missing, kExe);
  EXPECT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_EQ(ProcessReader().Read(child, kExe).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace stoker::procfs
