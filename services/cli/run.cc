#include "services/cli/run.h"

#include <cstdio>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include "services/cli/configuration.h"
#include "services/cli/event_loop.h"
#include "services/cli/gateway.h"
#include "services/cli/supervisor.h"
#include "services/common/base/clock.h"
#include "services/common/base/status.h"
#include "services/common/log/log.h"

namespace stoker::cli {
namespace {

// One line a change, for whoever watches: what happened to which process.
void SayLine(const std::string& process, const std::string& line) {
  fmt::print(stderr, "stoker: {:<15} {}\n", process, line);
}

absl::StatusOr<CheckedConfiguration> Check(const RunOptions& options) {
  return options.config.empty() ? CheckLabConfiguration(config::MachineEnvironment())
                                : CheckConfiguration(options.config, config::MachineEnvironment());
}

void SayReady(const RunOptions& options) {
  if (options.with_store) {
    fmt::print(stderr, "stoker: everything is ready. Flame graphs: http://{}/\n",
               options.store_listen);
  } else {
    fmt::print(stderr, "stoker: everything is ready. Status: http://{}/debug/state\n",
               options.http_listen);
  }
}

absl::Status RunProcesses(const RunOptions& options) {
  STOKER_ASSIGN_OR_RETURN(const CheckedConfiguration configuration, Check(options));
  STOKER_ASSIGN_OR_RETURN(Deployment deployment,
                          MakeDeployment(options, SystemBinarySearch(options.bin_dir),
                                         configuration.components, configuration.text));
  if (geteuid() != 0) {
    fmt::print(stderr, "stoker: not root: every process runs as you, without capabilities\n");
  }
  SystemClock clock;
  runtime::SystemSpawner spawner;
  Supervisor supervisor(spawner, clock, {}, SayLine);
  std::vector<std::string> names;
  for (Part& part : deployment.parts) {
    names.push_back(part.name);
    supervisor.Add(part.name, std::move(part.program), part.stage);
  }
  STOKER_ASSIGN_OR_RETURN(const auto gateway, Gateway::Start(options, names));
  const auto reload = [&]() -> absl::Status {
    STOKER_ASSIGN_OR_RETURN(const CheckedConfiguration checked, Check(options));
    return WriteSnapshot(options, checked.text);
  };
  EventLoop loop(supervisor, spawner,
                 {.reload = reload,
                  .ready = [&] { SayReady(options); },
                  .changed = [&] { gateway->SetProcesses(supervisor.ToJson()); }});
  return loop.Run();
}

}  // namespace

int Run(RunOptions options) {
  EventLoop::BlockSignals();
  log::Init("stoker", log::Level::kInfo, log::Format::kLogfmt);
  const absl::Status status = RunProcesses(options);
  if (status.ok()) return 0;
  fmt::print(stderr, "stoker: {}\n", Message(status));
  return 1;
}

}  // namespace stoker::cli
