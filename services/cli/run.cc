#include "services/cli/run.h"

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <utility>

#include <absl/time/clock.h>
#include <fmt/format.h>
#include <unistd.h>

#include "services/cli/configuration.h"
#include "services/cli/doctor/doctor_refresher.h"
#include "services/cli/doctor/system_host.h"
#include "services/cli/event_loop.h"
#include "services/cli/gateway.h"
#include "services/cli/identities.h"
#include "services/cli/process_request.h"
#include "services/cli/reloader.h"
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

absl::StatusOr<CheckedConfiguration> Check(const RunOptions& options, bool check_values) {
  return CheckConfiguration(options.config, config::MachineEnvironment(), check_values);
}

Reloader::Parts ReloaderParts(const RunOptions& options, const ProcessRequests& requests) {
  return {.check = [&options] { return Check(options, false); },
          .write = [&options](const std::string& text) { return WriteSnapshot(options, text); },
          .tell = [&requests](const std::string& process) { return requests.Reload(process); },
          .socket_group =
              [](const std::string& socket) {
                return geteuid() == 0 ? DockerSocketGroup(socket) : std::nullopt;
              }};
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

InstanceView Look(Gateway& gateway) {
  return {.state = nlohmann::json::parse(gateway.State().body, nullptr, false),
          .metrics = gateway.Metrics().body,
          .metrics_before = {},
          .now = absl::Now()};
}

absl::Status RunProcesses(const RunOptions& options) {
  STOKER_ASSIGN_OR_RETURN(const CheckedConfiguration configuration, Check(options, true));
  STOKER_ASSIGN_OR_RETURN(
      Deployment deployment,
      MakeDeployment(options, SystemBinarySearch(options.bin_dir), configuration));
  for (const std::string& warning : configuration.warnings) fmt::print(stderr, "{}\n", warning);
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
  const ProcessRequests requests(options.run_dir);
  Reloader reloader(ReloaderParts(options, requests), names, options.with_store, configuration,
                    clock);
  STOKER_ASSIGN_OR_RETURN(const auto gateway, Gateway::Start(options, names, reloader));
  const std::unique_ptr<Host> host = MakeSystemHost();
  DoctorRefresher doctor(
      *host, {.config = {}, .data_dir = options.data_dir}, DoctorFile(options.run_dir),
      {.look = [&] { return Look(*gateway); },
       .tell = [&](std::string checks) { gateway->SetDoctor(std::move(checks)); }});
  EventLoop loop(supervisor, spawner,
                 {.reload = [&] { reloader.ReloadInBackground(); },
                  .ready = [&] { SayReady(options); },
                  .changed = [&] { gateway->SetProcesses(supervisor.ToJson()); },
                  // Who is being stopped answers no more.
                  .stop = [&](int) { doctor.RequestStop(); }});
  return loop.Run();
}

}  // namespace

int Run(RunOptions options) {
  // What the lab's configuration asks for, here and in every process.
  if (options.config.empty()) setenv("STOKER_LAB_STORE", options.store_listen.c_str(), 1);
  EventLoop::BlockSignals();
  log::Init("stoker", log::Level::kInfo, log::Format::kLogfmt);
  const absl::Status status = RunProcesses(options);
  if (status.ok()) return 0;
  fmt::print(stderr, "stoker: {}\n", Message(status));
  return 1;
}

}  // namespace stoker::cli
