#include "services/cli/record/command.h"

#include <cerrno>
#include <cstdlib>

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <unistd.h>

#include "services/common/base/status.h"

namespace stoker::cli {
namespace {

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

absl::StatusOr<Pipe> MakePipe() {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return ErrnoError(errno, "pipe");
  return Pipe{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

struct Prepared {
  std::vector<char*> words;
  bool change_user = false;
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
  int go = -1;
};

std::vector<gid_t> GroupsOf(const Invoker& user) {
  int count = 64;
  std::vector<gid_t> groups(static_cast<std::size_t>(count));
  if (getgrouplist(user.name.c_str(), user.gid, groups.data(), &count) < 0) return {user.gid};
  groups.resize(static_cast<std::size_t>(count));
  return groups;
}

// Between fork and exec: system calls only. Returns when something failed, errno saying what.
void Become(const Prepared& prepared) {
  setpgid(0, 0);
  char byte = 0;
  // The end without a byte: nobody wants the command any more.
  if (read(prepared.go, &byte, 1) != 1) _exit(0);
  if (prepared.change_user) {
    if (setgroups(prepared.groups.size(), prepared.groups.data()) != 0) return;
    if (setresgid(prepared.gid, prepared.gid, prepared.gid) != 0) return;
    if (setresuid(prepared.uid, prepared.uid, prepared.uid) != 0) return;
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  execvp(prepared.words[0], prepared.words.data());
}

// A background group that changes the terminal's foreground one would be stopped.
void SetForeground(pid_t group) {
  sigset_t block;
  sigset_t before;
  sigemptyset(&block);
  sigaddset(&block, SIGTTOU);
  pthread_sigmask(SIG_BLOCK, &block, &before);
  tcsetpgrp(STDIN_FILENO, group);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace

std::optional<Invoker> InvokerOfSudo() {
  const char* uid = std::getenv("SUDO_UID");
  const char* gid = std::getenv("SUDO_GID");
  const char* name = std::getenv("SUDO_USER");
  if (geteuid() != 0 || uid == nullptr || gid == nullptr || name == nullptr) return std::nullopt;
  Invoker user{.uid = static_cast<uid_t>(std::strtoul(uid, nullptr, 10)),
               .gid = static_cast<gid_t>(std::strtoul(gid, nullptr, 10)),
               .name = name};
  if (user.uid == 0) return std::nullopt;
  return user;
}

absl::StatusOr<std::unique_ptr<Command>> Command::Start(const std::vector<std::string>& words,
                                                        const std::optional<Invoker>& user) {
  STOKER_ASSIGN_OR_RETURN(Pipe go, MakePipe());
  STOKER_ASSIGN_OR_RETURN(Pipe failure, MakePipe());
  std::vector<std::string> copy = words;
  Prepared prepared{.go = go.read.get()};
  for (std::string& word : copy) prepared.words.push_back(word.data());
  prepared.words.push_back(nullptr);
  if (user.has_value()) {
    prepared.change_user = true;
    prepared.uid = user->uid;
    prepared.gid = user->gid;
    prepared.groups = GroupsOf(*user);
  }

  const pid_t pid = fork();
  if (pid < 0) return ErrnoError(errno, "fork");
  if (pid == 0) {
    // Else its own end would keep it waiting after ours.
    close(go.write.get());
    Become(prepared);
    const int error_number = errno;
    _exit(write(failure.write.get(), &error_number, sizeof error_number) > 0 ? 127 : 126);
  }
  std::unique_ptr<Command> command(new Command);
  command->pid_ = pid;
  command->program_ = words[0];
  command->go_ = std::move(go.write);
  command->failure_ = std::move(failure.read);
  // Both sides do it: whichever comes first.
  setpgid(pid, pid);
  if (isatty(STDIN_FILENO) != 0 && tcgetpgrp(STDIN_FILENO) == getpgrp()) {
    command->foreground_ = getpgrp();
  }
  return command;
}

absl::Status Command::Release() {
  if (foreground_ != 0) SetForeground(pid_);
  if (write(go_.get(), "", 1) != 1) return ErrnoError(errno, "start " + program_);
  go_.reset();
  int error_number = 0;
  if (read(failure_.get(), &error_number, sizeof error_number) == sizeof error_number) {
    return ErrnoError(error_number, "start " + program_);
  }
  return absl::OkStatus();
}

void Command::Signal(int number) const { kill(-pid_, number); }

Command::~Command() {
  if (foreground_ != 0) SetForeground(foreground_);
}

}  // namespace stoker::cli
