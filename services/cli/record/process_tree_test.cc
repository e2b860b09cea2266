// A process' children are followed, and nobody else's.
#include "services/cli/record/process_tree.h"

#include <map>

#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace stoker::cli {
namespace {

TEST(DescendantsTest, Forks) {
  Descendants descendants(10);
  EXPECT_TRUE(descendants.OnFork(10, 11));
  EXPECT_TRUE(descendants.OnFork(11, 12));
  EXPECT_FALSE(descendants.OnFork(11, 12));
  EXPECT_FALSE(descendants.OnFork(20, 21));
  EXPECT_EQ(descendants.known(), (std::set<pid_t>{10, 11, 12}));
}

// Starts a shell that, told to over its standard input, starts a program as its child.
class Shell {
 public:
  Shell() {
    int input[2];
    if (pipe(input) != 0) return;
    pid_ = fork();
    if (pid_ == 0) {
      setpgid(0, 0);
      dup2(input[0], STDIN_FILENO);
      close(input[0]);
      close(input[1]);
      execl("/bin/sh", "sh", "-c", "read line; sleep 1000; true", nullptr);
      _exit(127);
    }
    setpgid(pid_, pid_);
    close(input[0]);
    input_ = input[1];
  }
  void Tell() const { ASSERT_EQ(write(input_, "\n", 1), 1); }
  ~Shell() {
    kill(-pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    close(input_);
  }
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = 0;
  int input_ = -1;
};

// By the kernel's events where they are allowed, else by looking through /proc.
TEST(ProcessTreeTest, TellsOfChildren) {
  const Shell shell;
  absl::Mutex mutex;
  std::map<pid_t, std::string> seen;
  const ProcessTree tree(shell.pid(), [&](pid_t pid, const std::string& name) {
    absl::MutexLock lock(&mutex);
    seen[pid] = name;
  });
  shell.Tell();
  absl::MutexLock lock(&mutex);
  // Between fork and exec the child has the shell's name.
  const auto known = [&] { return seen.size() == 2; };
  EXPECT_TRUE(mutex.AwaitWithTimeout(absl::Condition(&known), absl::Seconds(20)));
  EXPECT_TRUE(seen.contains(shell.pid()));
  EXPECT_FALSE(seen.rbegin()->second.empty());
}

TEST(ProcessTreeTest, OwnProcess) {
  EXPECT_GT(AliveSince(getpid()), 0U);
  EXPECT_EQ(ProgramName(getpid()), "process_tree_test");
  EXPECT_EQ(AliveSince(1 << 22), 0U);
  EXPECT_EQ(ProgramName(1 << 22), "");
}

}  // namespace
}  // namespace stoker::cli
