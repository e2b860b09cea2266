#include <csignal>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <unistd.h>

#include "services/discovery/process_scanner.h"

namespace stoker::discovery {
namespace {

pid_t StartChild() {
  const pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  return child;
}

void EndChild(pid_t child) {
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
}

// The kernel gives a new process of an old pid a new folder: seen without reading those that stay.
TEST(ProcessScannerKernelTest, SeesReusedPids) {
  ProcessScanner scanner(procfs::ProcessReader(), [](uid_t) { return ""; });
  const auto start_of = [&scanner](absl::Duration now, pid_t pid) -> std::uint64_t {
    const auto list = scanner.Scan(now, absl::Hours(1));
    EXPECT_TRUE(list.ok()) << list.status();
    for (const auto& process : **list) {
      if (process->process.key.pid == pid) return process->process.key.start_ticks;
    }
    return 0;
  };
  const pid_t first = StartChild();
  // Past the early reads: from here on only a changed folder makes the scanner read it.
  std::uint64_t before = 0;
  for (const int second : {0, 1, 7}) before = start_of(absl::Seconds(second), first);
  ASSERT_NE(before, 0u);
  EndChild(first);
  tms unused{};
  for (const clock_t tick = times(&unused); times(&unused) - tick < 2;) {
  }
  std::ofstream last_pid("/proc/sys/kernel/ns_last_pid");
  if (!(last_pid << first - 1 << std::flush)) GTEST_SKIP() << "ns_last_pid cannot be written";
  const pid_t second = StartChild();
  if (second == first) {
    EXPECT_GT(start_of(absl::Seconds(8), second), before);
  }
  EndChild(second);
  if (second != first) GTEST_SKIP() << "somebody else took the pid";
}

}  // namespace
}  // namespace stoker::discovery
