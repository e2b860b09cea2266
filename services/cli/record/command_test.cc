// A command waits until it is released, tells why it cannot run, and is a group of its own.
#include "services/cli/record/command.h"

#include <cstdlib>
#include <filesystem>

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "services/common/base/status.h"

namespace stoker::cli {
namespace {

int EndOf(const Command& command) {
  int status = 0;
  EXPECT_EQ(waitpid(command.pid(), &status, 0), command.pid());
  return status;
}

TEST(CommandTest, RunsOnceReleased) {
  const std::string path = testing::TempDir() + "/released";
  std::filesystem::remove(path);
  const auto command = Command::Start({"sh", "-c", ": > " + path + "; exit 7"}, std::nullopt);
  ASSERT_TRUE(command.ok()) << command.status();
  EXPECT_EQ(getpgid((*command)->pid()), (*command)->pid());
  EXPECT_FALSE(std::filesystem::exists(path));
  ASSERT_TRUE((*command)->Release().ok());
  EXPECT_EQ(WEXITSTATUS(EndOf(**command)), 7);
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST(CommandTest, NoSuchProgram) {
  const auto command = Command::Start({"/no/such/program"}, std::nullopt);
  ASSERT_TRUE(command.ok());
  EXPECT_EQ(Message((*command)->Release()), "start /no/such/program: No such file or directory");
  EXPECT_EQ(WEXITSTATUS(EndOf(**command)), 127);
}

TEST(CommandTest, SignalReachesItsGroup) {
  const auto command = Command::Start({"sleep", "1000"}, std::nullopt);
  ASSERT_TRUE(command.ok());
  ASSERT_TRUE((*command)->Release().ok());
  (*command)->Signal(SIGTERM);
  EXPECT_EQ(WTERMSIG(EndOf(**command)), SIGTERM);
}

// One that is never released ends by itself.
TEST(CommandTest, LetGo) {
  auto command = Command::Start({"sleep", "1000"}, std::nullopt);
  ASSERT_TRUE(command.ok());
  const pid_t pid = (*command)->pid();
  command->reset();
  int status = 0;
  EXPECT_EQ(waitpid(pid, &status, 0), pid);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(CommandTest, InvokerOfSudo) {
  setenv("SUDO_UID", "1000", 1);
  setenv("SUDO_GID", "1001", 1);
  setenv("SUDO_USER", "somebody", 1);
  const auto user = InvokerOfSudo();
  EXPECT_EQ(user.has_value(), geteuid() == 0);
  if (user.has_value()) {
    EXPECT_EQ(user->uid, 1000U);
    EXPECT_EQ(user->gid, 1001U);
  }
  // Root's own sudo changes nothing.
  setenv("SUDO_UID", "0", 1);
  EXPECT_FALSE(InvokerOfSudo().has_value());
}

}  // namespace
}  // namespace stoker::cli
