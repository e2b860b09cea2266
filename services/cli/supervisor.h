#pragma once

#include <functional>
#include <string>
#include <vector>

#include <absl/time/time.h>
#include <nlohmann/json.hpp>
#include <sys/types.h>

#include "services/common/base/clock.h"
#include "services/common/base/unique_fd.h"
#include "services/common/runtime/spawner.h"

namespace stoker::cli {

// Keeps the processes of one machine running. Starts them in the order given, each when those
// before it are ready (or have had their time), starts again one that dies, and stops them stage by
// stage.
//
// Owned by one thread, which tells it what happened (OnReady, OnEnded) and lets time pass (Tick);
// it never blocks.
class Supervisor {
 public:
  struct Limits {
    // A process that is not ready by then holds up the next ones no longer.
    absl::Duration ready = absl::Seconds(30);
    // A process still there so long after Stop is named and killed.
    absl::Duration stop = absl::Seconds(30);
    // Pause before a dead process is started again: doubles with each death, forgotten once it has
    // run for `steady`.
    absl::Duration min_restart = absl::Milliseconds(100);
    absl::Duration max_restart = absl::Seconds(5);
    absl::Duration steady = absl::Seconds(10);
  };

  // Says one line about one process: "forwarder", "ready, pid 42".
  using Say = std::function<void(const std::string& process, const std::string& line)>;

  Supervisor(runtime::Spawner& spawner, const Clock& clock, Limits limits, Say say)
      : spawner_(spawner), clock_(clock), limits_(limits), say_(std::move(say)) {}

  // Before the first Tick, in the order of starting. `stage`: processes of a lower stage have ended
  // before those of a higher one are told to stop.
  void Add(std::string name, runtime::Program program, int stage);

  // Does what is due; call it at least every 100 ms and after each of the calls below.
  void Tick();

  // A child's ready descriptor became readable. True: it said that it is ready.
  void OnReady(const std::string& name, bool said_ready);
  void OnEnded(const runtime::Spawner::Ended& ended);

  void Stop();
  // Kills what is left: a second Ctrl-C.
  void Kill();

  [[nodiscard]] bool stopped() const;
  // Every process has been ready at once: what was started serves.
  [[nodiscard]] bool all_ready() const;

  // Descriptors to watch for readability, with the name to report to OnReady.
  struct Watch {
    std::string name;
    int fd = -1;
  };
  [[nodiscard]] std::vector<Watch> Watches() const;

  // Counts changes of what ToJson tells.
  [[nodiscard]] std::uint64_t changes() const { return changes_; }

  // [{"name", "state", "pid", "restarts", "last_end"}]
  [[nodiscard]] nlohmann::json ToJson() const;

 private:
  enum class State { kWaiting, kStarting, kReady, kRestarting, kStopping, kEnded };
  struct Process {
    std::string name;
    runtime::Program program;
    int stage = 0;
    State state = State::kWaiting;
    pid_t pid = 0;
    UniqueFd ready;
    // When the state was entered, or for kRestarting when the next start is due.
    absl::Duration since;
    int deaths = 0;
    int restarts = 0;
    bool held_up = false;
    std::string last_end;
  };

  static const char* Name(State state);
  void Start(Process& process);
  void Enter(Process& process, State state);
  void StartDue();
  void StopDue();
  [[nodiscard]] absl::Duration RestartPause(const Process& process) const;
  Process* Find(const std::string& name);

  runtime::Spawner& spawner_;
  const Clock& clock_;
  const Limits limits_;
  const Say say_;
  std::vector<Process> processes_;
  bool stopping_ = false;
  bool killed_ = false;
  absl::Duration stop_since_;
  std::uint64_t changes_ = 0;
};

}  // namespace stoker::cli
