#include "services/discovery/process_scanner.h"

#include <gtest/gtest.h>

#include "services/discovery/fake_proc.h"

namespace stoker::discovery {
namespace {

constexpr absl::Duration kRefresh = absl::Seconds(60);

class ProcessScannerTest : public ::testing::Test {
 protected:
  HostProcesses Scan(double seconds) {
    const auto list = scanner_.Scan(absl::Seconds(seconds), kRefresh);
    EXPECT_TRUE(list.ok()) << list.status();
    last_ = *list;
    return **list;
  }

  FakeProc proc_{std::filesystem::path(::testing::TempDir()) /
                 ::testing::UnitTest::GetInstance()->current_test_info()->name()};
  ProcessScanner scanner_{procfs::ProcessReader(proc_.root()),
                          [](uid_t uid) { return "user" + std::to_string(uid); }};
  HostProcessesPtr last_;
};

// Processes come with all their fields, sorted by pid.
TEST_F(ProcessScannerTest, FindsProcesses) {
  proc_.Put({.pid = 20});
  proc_.Put({.pid = 3, .start_ticks = 7, .exe = "/bin/sh"});
  const HostProcesses list = Scan(0);
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0]->process.key, (procfs::ProcessKey{3, 7}));
  EXPECT_EQ(list[0]->process.exe, "/bin/sh");
  EXPECT_EQ(list[0]->process.commandline, "/bin/sh --serve");
  EXPECT_EQ(list[0]->username, "user1000");
  EXPECT_EQ(list[1]->process.key.pid, 20);
}

// Where nothing changed the list is the same object; a new and an ended process change it and leave
// the others' pointers.
TEST_F(ProcessScannerTest, FollowsChanges) {
  proc_.Put({.pid = 1});
  proc_.Put({.pid = 2});
  const HostProcesses first = Scan(0);
  const HostProcessesPtr first_list = last_;
  EXPECT_EQ(Scan(1), first);
  EXPECT_EQ(last_, first_list);
  proc_.Put({.pid = 3});
  proc_.Remove(1);
  const HostProcesses second = Scan(2);
  ASSERT_EQ(second.size(), 2u);
  EXPECT_EQ(second[0], first[1]);
  EXPECT_EQ(second[1]->process.key.pid, 3);
}

// A pid that is another process now is seen at the next scan.
TEST_F(ProcessScannerTest, SeesReusedPids) {
  proc_.Put({.pid = 1, .start_ticks = 10});
  Scan(0);
  Scan(1);
  Scan(6);
  // The new folder is made before the old one goes, so that it has another inode.
  proc_.Put({.pid = 2, .start_ticks = 99, .exe = "/bin/other"});
  proc_.Remove(1);
  std::filesystem::rename(proc_.root() / "2", proc_.root() / "1");
  const HostProcesses list = Scan(6.5);
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(list[0]->process.key, (procfs::ProcessKey{1, 99}));
  EXPECT_EQ(list[0]->process.exe, "/bin/other");
}

// An exec right after the fork is seen at the next scan, a later change within a refresh interval.
TEST_F(ProcessScannerTest, ReadsAgain) {
  proc_.Put({.pid = 1, .exe = "/bin/shell"});
  Scan(0);
  proc_.Put({.pid = 1, .exe = "/bin/app"});
  EXPECT_EQ(Scan(0.8)[0]->process.exe, "/bin/app");
  Scan(6);
  proc_.Put({.pid = 1, .exe = "/bin/late"});
  EXPECT_EQ(Scan(66)[0]->process.exe, "/bin/late");
}

// Once all are known a scan reads but a few, and all of them within each interval.
TEST_F(ProcessScannerTest, SpreadsReading) {
  for (int pid = 1; pid <= 120; ++pid) proc_.Put({.pid = pid});
  for (int second = 0; second < 70; ++second) Scan(second);
  std::size_t read = 0;
  for (int second = 70; second < 130; ++second) {
    Scan(second);
    read += scanner_.counts().read;
    EXPECT_LE(scanner_.counts().read, 8u);
  }
  EXPECT_EQ(read, 120u);
}

// A process that cannot be made out is counted and harms no other; a root that is gone is an error.
TEST_F(ProcessScannerTest, BadProcesses) {
  proc_.Put({.pid = 1});
  proc_.Put({.pid = 2});
  std::filesystem::remove(proc_.root() / "1" / "stat");
  std::filesystem::create_directory(proc_.root() / "1" / "stat");
  EXPECT_EQ(Scan(0).size(), 1u);
  EXPECT_EQ(scanner_.counts().failed, 1u);
  std::filesystem::remove_all(proc_.root());
  EXPECT_FALSE(scanner_.Scan(absl::Seconds(1), kRefresh).ok());
}

}  // namespace
}  // namespace stoker::discovery
