#include "services/cli/supervisor.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <signal.h>

#include "services/common/base/status.h"

namespace stoker::cli {

const char* Supervisor::Name(State state) {
  switch (state) {
    case State::kWaiting:
      return "waiting";
    case State::kStarting:
      return "starting";
    case State::kReady:
      return "ready";
    case State::kRestarting:
      return "restarting";
    case State::kStopping:
      return "stopping";
    case State::kEnded:
      return "ended";
  }
  return "";
}

void Supervisor::Add(std::string name, runtime::Program program, int stage) {
  Process process;
  process.name = std::move(name);
  process.program = std::move(program);
  process.stage = stage;
  processes_.push_back(std::move(process));
}

void Supervisor::Enter(Process& process, State state) {
  process.state = state;
  ++changes_;
  process.since = clock_.Monotonic();
}

void Supervisor::Start(Process& process) {
  auto child = spawner_.Start(process.program);
  if (!child.ok()) {
    process.last_end = std::string(Message(child.status()));
    ++process.deaths;
    Enter(process, State::kRestarting);
    process.since += RestartPause(process);
    say_(process.name, process.last_end);
    return;
  }
  process.pid = child->pid;
  process.ready = std::move(child->ready);
  Enter(process, State::kStarting);
}

absl::Duration Supervisor::RestartPause(const Process& process) const {
  const int doublings = std::clamp(process.deaths - 1, 0, 16);
  return std::min(limits_.min_restart * (1 << doublings), limits_.max_restart);
}

void Supervisor::Tick() {
  if (stopping_) {
    StopDue();
  } else {
    StartDue();
  }
}

void Supervisor::StartDue() {
  const absl::Duration now = clock_.Monotonic();
  for (Process& process : processes_) {
    if (process.state == State::kReady && now - process.since >= limits_.steady) {
      process.deaths = 0;
    }
    if (process.state == State::kRestarting && now >= process.since) {
      ++process.restarts;
      Start(process);
    }
    if (process.state == State::kWaiting) Start(process);
    if (process.state != State::kStarting || process.held_up) continue;
    if (now - process.since < limits_.ready) return;
    process.held_up = true;
    say_(process.name, fmt::format("not ready after {}; going on without it",
                                   absl::FormatDuration(limits_.ready)));
  }
}

void Supervisor::OnReady(const std::string& name, bool said_ready) {
  Process* process = Find(name);
  if (process == nullptr) return;
  process->ready.reset();
  if (!said_ready || process->state != State::kStarting) return;
  Enter(*process, State::kReady);
  say_(name, fmt::format("ready, pid {}", process->pid));
}

void Supervisor::OnEnded(const runtime::Spawner::Ended& ended) {
  const auto process = std::ranges::find(processes_, ended.pid, &Process::pid);
  if (process == processes_.end()) return;
  process->pid = 0;
  process->ready.reset();
  process->last_end = ended.how;
  if (stopping_) {
    Enter(*process, State::kEnded);
    say_(process->name, fmt::format("stopped, {}", ended.how));
    return;
  }
  ++process->deaths;
  // Those that wait for it wait no longer.
  process->held_up = true;
  Enter(*process, State::kRestarting);
  const absl::Duration pause = RestartPause(*process);
  process->since += pause;
  say_(process->name,
       fmt::format("ended, {}; starting again in {}", ended.how, absl::FormatDuration(pause)));
}

void Supervisor::Stop() {
  if (stopping_) return;
  stopping_ = true;
  stop_since_ = clock_.Monotonic();
  for (Process& process : processes_) {
    if (process.pid == 0) Enter(process, State::kEnded);
  }
}

void Supervisor::StopDue() {
  if (clock_.Monotonic() - stop_since_ >= limits_.stop && !killed_) {
    for (const Process& process : processes_) {
      if (process.pid != 0) {
        say_(process.name, fmt::format("still running {} after the stop; killed",
                                       absl::FormatDuration(limits_.stop)));
      }
    }
    Kill();
  }
  int stage = -1;
  for (const Process& process : processes_) {
    if (process.pid != 0 && (stage < 0 || process.stage < stage)) stage = process.stage;
  }
  for (Process& process : processes_) {
    if (process.stage != stage || process.pid == 0 || process.state == State::kStopping) continue;
    Enter(process, State::kStopping);
    spawner_.Signal(process.pid, SIGTERM);
  }
}

void Supervisor::Kill() {
  Stop();
  killed_ = true;
  for (const Process& process : processes_) {
    if (process.pid != 0) spawner_.Signal(process.pid, SIGKILL);
  }
}

bool Supervisor::stopped() const {
  return stopping_ && std::ranges::all_of(processes_, [](const Process& p) { return p.pid == 0; });
}

bool Supervisor::all_ready() const {
  return std::ranges::all_of(processes_, [](const Process& p) { return p.state == State::kReady; });
}

std::vector<Supervisor::Watch> Supervisor::Watches() const {
  std::vector<Watch> watches;
  for (const Process& process : processes_) {
    if (process.ready.valid()) watches.push_back({process.name, process.ready.get()});
  }
  return watches;
}

nlohmann::json Supervisor::ToJson() const {
  nlohmann::json list = nlohmann::json::array();
  for (const Process& process : processes_) {
    list.push_back({{"name", process.name},
                    {"state", Name(process.state)},
                    {"pid", process.pid},
                    {"restarts", process.restarts},
                    {"last_end", process.last_end}});
  }
  return list;
}

Supervisor::Process* Supervisor::Find(const std::string& name) {
  const auto it = std::ranges::find(processes_, name, &Process::name);
  return it == processes_.end() ? nullptr : &*it;
}

}  // namespace stoker::cli
