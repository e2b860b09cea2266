#include "services/collector/java/process.h"

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "services/collector/java/attach/helper_processes.h"
#include "services/collector/java/java_component.h"
#include "services/common/base/file_limit.h"
#include "services/common/base/status.h"
#include "services/common/config/last_good.h"
#include "services/common/forwarding/profile_outlet.h"
#include "services/common/jfr/conversion.h"
#include "services/common/log/log.h"
#include "services/common/runtime/core_thread.h"
#include "services/common/runtime/workers.h"
#include "services/common/sandbox/sandbox.h"
#include "services/common/targets/target_watcher.h"

namespace stoker::java {
namespace {

// How late a rotation may begin.
constexpr absl::Duration kTick = absl::Milliseconds(50);
// For the recordings to end, and for what they held to reach the forwarder.
constexpr absl::Duration kFlush = absl::Seconds(8);
// Readings that run at a time.
constexpr std::size_t kWorkers = 2;
// Works that wait; each is small.
constexpr std::size_t kWaiting = 100'000;
constexpr absl::Duration kReading = absl::Seconds(10);

using LastGoodJava = config::LastGood<config::PyroscopeJava>;

absl::StatusOr<SessionSettings> MakeSettings(const std::string& id,
                                             const config::PyroscopeJava& arguments,
                                             const std::string& tenant, const std::string& node,
                                             int bundled) {
  SessionSettings settings{.component_id = id,
                           .node = node,
                           .tenant = tenant,
                           .receivers = arguments.forward_to,
                           .tmp_dir = arguments.tmp_dir,
                           .interval = arguments.profiling_config.interval};
  STOKER_ASSIGN_OR_RETURN(settings.options, MakeAgentOptions(arguments.profiling_config));
  STOKER_ASSIGN_OR_RETURN(settings.agent,
                          InstallHostAgent(arguments.tmp_dir, arguments.dist, bundled));
  return settings;
}

// All of the process. Components are changed on the thread only; HTTP handlers outlive RunProcess,
// and with them what they ask.
class Parts final : Surroundings {
 public:
  Parts(runtime::Service& service, const std::string& forwarder, Privileged privileged)
      : service_(service),
        bundled_(std::move(privileged.library)),
        metrics_(service.metrics()),
        outlet_({.process = "java_collector",
                 .forwarder = forwarder,
                 .accepted = [](const std::string&, absl::Duration) {}},
                service, metrics_.stage, thread_),
        sandbox_({.workers = static_cast<int>(kWorkers)}),
        thread_(kTick, [this] { Tick(); }),
        workers_(kWorkers, kWaiting),
        helpers_(std::move(privileged.maker), [this] {
          log::Error("the process that makes helpers is gone: ending, to be started again");
          service_.RequestStop();
        }) {}

  ~Parts() {
    thread_.Stop();
    // What the queue still holds stays in the recordings.
    closing_ = true;
  }
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;

  void Start() { outlet_.Start(); }

  // Starts, changes and ends components so that they are those of `last`.
  void Apply(const config::Configuration& configuration, const LastGoodJava& last) {
    const std::string& address = configuration.stoker().discovery.address;
    const std::string discovery =
        address.empty() ? "unix:" + service_.options().run_dir + "/discovery.sock" : address;
    std::map<std::string, absl::Status> failed = last.failed();
    std::map<std::string, std::shared_ptr<const SessionSettings>> wanted;
    for (const auto& [id, arguments] : last.arguments()) {
      auto settings = MakeSettings(id, arguments, configuration.stoker().tenant,
                                   service_.options().node_name, bundled_.get());
      if (!settings.ok()) failed.emplace(id, settings.status());
      // One that was fine before goes on as it is.
      wanted[id] =
          settings.ok() ? std::make_shared<const SessionSettings>(*std::move(settings)) : nullptr;
    }
    thread_.Call([&] {
      for (auto& [id, running] : components_) {
        if (!wanted.contains(id)) running->component.Stop();
      }
      for (const auto& [id, settings] : wanted) {
        if (settings != nullptr) Change(id, settings, discovery);
      }
      ReportHealth(failed);
    });
  }

  // Ends recordings, and hands what they held to the forwarder as far as it takes it in time; the
  // rest goes to disk.
  void Stop() {
    thread_.Call([this] {
      for (auto& [id, running] : components_) running->component.Stop();
    });
    if (!thread_.Await(kFlush, [this] { return components_.empty(); })) {
      log::Warn("not all recordings ended in time; they end by themselves");
    }
    outlet_.Drain(kFlush);
    thread_.Call([this] { components_.clear(); });
    thread_.Stop();
  }

  nlohmann::json State() {
    nlohmann::json state;
    thread_.Call([&] {
      state["queue"] = outlet_.State();
      for (const auto& [id, running] : components_) {
        nlohmann::json component = running->component.State(MakeNow());
        const targets::TargetWatcher::State watch = running->watcher->state();
        component["synced"] = watch.synced;
        component["discovery"] = watch.status.ToString();
        state["components"][id] = std::move(component);
      }
    });
    return state;
  }

 private:
  // The watcher goes first: it speaks to the component.
  struct RunningComponent {
    JavaComponent component;
    std::unique_ptr<targets::TargetWatcher> watcher;
  };

  void Post(std::function<void(Now)> event) override {
    thread_.Post([this, event = std::move(event)] { event(MakeNow()); });
  }
  bool RunAside(std::function<void()> work) override {
    return !closing_ && workers_.Run(1, std::move(work));
  }
  void Convert(std::shared_ptr<const Recording> recording, jfr::ConversionRequest request,
               std::function<void(absl::StatusOr<jfr::Conversion>)> done) override {
    const bool taken = workers_.Run(
        1, [this, recording = std::move(recording), request = std::move(request), done] {
          done(jfr::ConvertInSandbox(sandbox_, recording->fd(), request, kReading));
        });
    if (!taken) done(ResourceExhausted("too many recordings wait to be read"));
  }

  Now MakeNow() { return {service_.clock().Monotonic(), service_.clock().Now()}; }

  void Tick() {
    const Now now = MakeNow();
    for (auto entry = components_.begin(); entry != components_.end();) {
      entry->second->component.Tick(now);
      if (!entry->second->component.ended()) {
        ++entry;
        continue;
      }
      service_.RemoveHealth(entry->first);
      entry = components_.erase(entry);
    }
    outlet_.queue().Tick(now.monotonic);
  }

  void Change(const std::string& id, std::shared_ptr<const SessionSettings> settings,
              const std::string& discovery) {
    std::unique_ptr<RunningComponent>& running = components_[id];
    if (running != nullptr) return running->component.Change(std::move(settings), MakeNow());
    running = std::unique_ptr<RunningComponent>(new RunningComponent{
        {std::move(settings), {*this, helpers_, outlet_.queue(), metrics_, claims_}}, nullptr});
    // JVMs of this machine: of others there is no /proc.
    running->watcher = std::make_unique<targets::TargetWatcher>(
        targets::TargetWatcher::Options{
            .address = discovery, .component_id = id, .node_name = service_.options().node_name},
        service_.dialer(), service_.clock(), service_.random(),
        [this, id] { thread_.Post([this, id] { UpdateTargets(id); }); });
  }

  void UpdateTargets(const std::string& id) {
    const auto found = components_.find(id);
    if (found == components_.end() || found->second->watcher == nullptr) return;
    found->second->component.SetTargets(found->second->watcher->Targets(), MakeNow());
  }

  void ReportHealth(const std::map<std::string, absl::Status>& failed) {
    for (const auto& [id, running] : components_) {
      service_.SetHealth(id, runtime::Health::kHealthy, "");
    }
    for (const auto& [id, status] : std::exchange(failed_, failed)) {
      if (!failed.contains(id) && !components_.contains(id)) service_.RemoveHealth(id);
    }
    for (const auto& [id, status] : failed_) {
      log::Error(components_.contains(id) ? "component keeps its last good arguments"
                                          : "component cannot run",
                 {{"component_id", id}, {"error", status}});
      service_.SetHealth(id, runtime::Health::kUnhealthy, std::string(Message(status)));
    }
  }

  runtime::Service& service_;
  std::atomic<bool> closing_ = false;
  const UniqueFd bundled_;
  Metrics metrics_;
  forwarding::ProfileOutlet outlet_;
  sandbox::Sandbox sandbox_;
  Claims claims_;
  std::map<std::string, std::unique_ptr<RunningComponent>> components_;
  std::map<std::string, absl::Status> failed_;
  runtime::CoreThread thread_;
  // These end first: they post to the thread.
  runtime::Workers workers_;
  HelperProcesses helpers_;
};

}  // namespace

runtime::ServiceInfo Info() {
  return {.process = "java-collector",
          .summary =
              "Profiles the JVMs of this machine with async-profiler and hands the profiles to the "
              "forwarder. JVMs of other users need root or the capabilities CAP_SYS_PTRACE, "
              "CAP_DAC_READ_SEARCH, CAP_SETUID, CAP_SETGID and CAP_KILL.",
          .http_listen = "",
          .grpc_listen = ""};
}

sandbox::Jobs SandboxJobs() { return {{jfr::kConvertJob, jfr::ConvertJob}}; }

absl::Status RunProcess(runtime::Service& service, Privileged privileged) {
  // A recording is a file.
  RaiseFileLimit();
  std::shared_ptr<Parts> parts;
  LastGoodJava last("pyroscope.java");
  const auto apply = [&](const runtime::ConfigurationPtr& configuration) -> absl::Status {
    last.Update(*configuration);
    if (parts == nullptr) {
      // A process that runs stays with the forwarder that it began with.
      parts = std::make_shared<Parts>(service, configuration->stoker().forwarder.address,
                                      std::move(privileged));
    }
    parts->Apply(*configuration, last);
    return absl::OkStatus();
  };
  STOKER_RETURN_IF_ERROR(service.Configure(apply));
  service.AddDebugState("java", [parts] { return parts->State(); });
  parts->Start();
  absl::Status served = service.Serve({});
  if (served.ok()) service.WaitForStop();
  parts->Stop();
  return served;
}

}  // namespace stoker::java
