#include "services/cli/event_loop.h"

#include <cerrno>
#include <utility>
#include <vector>

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "services/common/base/status.h"
#include "services/common/base/unique_fd.h"

namespace stoker::cli {
namespace {

constexpr int kTickMs = 100;

sigset_t Taken() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGCHLD, SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, number);
  return set;
}

}  // namespace

EventLoop::EventLoop(Supervisor& supervisor, runtime::Spawner& spawner, Hooks hooks)
    : supervisor_(supervisor), spawner_(spawner), hooks_(std::move(hooks)) {}

void EventLoop::BlockSignals() {
  const sigset_t set = Taken();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

void EventLoop::OnSignal(int number) {
  if (number == SIGINT || number == SIGTERM) {
    hooks_.stop(++stops_);
    if (stops_ == 1) {
      supervisor_.Stop();
    } else {
      supervisor_.Kill();
    }
  } else if (number == SIGHUP) {
    hooks_.reload();
  }
}

absl::Status EventLoop::Run() {
  const sigset_t set = Taken();
  const UniqueFd signals(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals.valid()) return ErrnoError(errno, "signalfd");
  while (!supervisor_.stopped()) {
    supervisor_.Tick();
    const std::vector<Supervisor::Watch> watches = supervisor_.Watches();
    std::vector<pollfd> fds = {{.fd = signals.get(), .events = POLLIN, .revents = 0}};
    for (const auto& watch : watches) {
      fds.push_back({.fd = watch.fd, .events = POLLIN, .revents = 0});
    }
    poll(fds.data(), fds.size(), kTickMs);
    for (std::size_t i = 0; i < watches.size(); ++i) {
      if (fds[i + 1].revents == 0) continue;
      char line[16];
      supervisor_.OnReady(watches[i].name, read(watches[i].fd, line, sizeof line) > 0);
    }
    // Of several ended children only one SIGCHLD may come.
    while (auto ended = spawner_.Reap()) {
      supervisor_.OnEnded(*ended);
      hooks_.ended(*ended);
    }
    signalfd_siginfo info{};
    while (read(signals.get(), &info, sizeof info) == sizeof info) {
      OnSignal(static_cast<int>(info.ssi_signo));
    }
    hooks_.tick();
    if (!was_ready_ && supervisor_.all_ready()) {
      was_ready_ = true;
      hooks_.ready();
    }
    if (const std::uint64_t changes = supervisor_.changes(); changes != seen_changes_) {
      seen_changes_ = changes;
      hooks_.changed();
    }
  }
  return absl::OkStatus();
}

}  // namespace stoker::cli
