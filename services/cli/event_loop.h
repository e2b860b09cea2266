#pragma once

#include <cstdint>
#include <functional>

#include <absl/status/status.h>

#include "services/cli/supervisor.h"
#include "services/common/runtime/spawner.h"

namespace stoker::cli {

// Feeds a Supervisor what the kernel says until every process has stopped: ends of children, their
// readiness, SIGHUP (reload), SIGINT and SIGTERM (stop; the second time kill). Runs on the thread
// that starts the children: they die with it.
class EventLoop {
 public:
  struct Hooks {
    // At SIGHUP. Must not block.
    std::function<void()> reload;
    // Once, when every process is ready.
    std::function<void()> ready;
    // After something happened to a process.
    std::function<void()> changed;
    // The rest may be left out. At every turn, at least each 100 ms.
    std::function<void()> tick = [] {};
    // Each child that ended, supervised or not.
    std::function<void(const runtime::Spawner::Ended&)> ended = [](const auto&) {};
    // SIGINT or SIGTERM came, for the n-th time; before the processes are stopped.
    std::function<void(int n)> stop = [](int) {};
  };

  EventLoop(Supervisor& supervisor, runtime::Spawner& spawner, Hooks hooks);

  // The signals it takes; block them before any thread starts.
  static void BlockSignals();

  absl::Status Run();

 private:
  void OnSignal(int number);

  Supervisor& supervisor_;
  runtime::Spawner& spawner_;
  const Hooks hooks_;
  int stops_ = 0;
  bool was_ready_ = false;
  std::uint64_t seen_changes_ = 0;
};

}  // namespace stoker::cli
