#include "services/collector/ebpf/process.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include <absl/time/clock.h>

#include "services/collector/ebpf/cache_state.h"
#include "services/collector/ebpf/collector_thread.h"
#include "services/collector/ebpf/debug_file.h"
#include "services/collector/ebpf/jit/jit_job.h"
#include "services/collector/ebpf/jit/jit_reader.h"
#include "services/collector/ebpf/kernel_support.h"
#include "services/collector/ebpf/load_settings.h"
#include "services/collector/ebpf/python/code_job.h"
#include "services/collector/ebpf/python/code_reader.h"
#include "services/collector/ebpf/python/runtime.h"
#include "services/collector/ebpf/running_component.h"
#include "services/collector/ebpf/sandbox_inspector.h"
#include "services/collector/ebpf/symbol_provider.h"
#include "services/collector/ebpf/unwind/table_cache.h"
#include "services/collector/ebpf/unwind/table_job.h"
#include "services/collector/ebpf/walker/bpf_memory.h"
#include "services/collector/ebpf/walker/cached_tables.h"
#include "services/common/base/file_limit.h"
#include "services/common/base/status.h"
#include "services/common/cluster/replicas.h"
#include "services/common/elf/inspect.h"
#include "services/common/log/log.h"

namespace stoker::ebpf {
namespace {

// For the last intervals to be acknowledged.
constexpr absl::Duration kGrace = absl::Seconds(10);
// Before kernel programs that could not be started are tried again.
constexpr absl::Duration kFollowAgain = absl::Seconds(10);
// Binaries kept open: each is a file descriptor.
constexpr std::size_t kMaxBinaries = 4096;

// The first targets, by their labels.
nlohmann::json TargetState(const Component& component) {
  nlohmann::json targets = nlohmann::json::array();
  for (const model::Labels& labels : component.TargetLabels()) {
    if (targets.size() >= kMaxDescribed) break;
    nlohmann::json& target = targets.emplace_back(nlohmann::json::object());
    for (const model::LabelView label : labels) target[label.name] = label.value;
  }
  return targets;
}

// All parts of the process, in the order of their dependence.
class Parts {
 public:
  // Borrows all.
  Parts(runtime::Service& service, const KernelSymbols& kernel, absl::Status kernel_status,
        walker::BpfMemory& memory)
      : service_(service),
        node_(ThisNode(service.options().node_name)),
        metrics_(service.metrics()),
        kernel_(kernel),
        kernel_status_(std::move(kernel_status)),
        memory_(memory),
        sandbox_({.memory_bytes = std::size_t{256} << 20}),
        binaries_(kMaxBinaries),
        inspector_(sandbox_, binaries_),
        table_sandbox_({.memory_bytes = unwind::kTableWorkerBytes}),
        table_cache_({.folder = service.options().data_dir + "/unwind", .on_ready = {}},
                     table_sandbox_),
        tables_(table_cache_),
        jit_reader_(sandbox_),
        python_sandbox_({.memory_bytes = std::size_t{256} << 20}),
        python_reader_(python_sandbox_),
        core_(source_, inspector_, memory, tables_, metrics_, service.clock(), &jit_reader_,
              &python_reader_),
        thread_(core_, memory, [this] {
          FollowTargets();
          ReportHealth();
        }) {}

  // Starts, changes and ends components so that they are those of `settings`.
  absl::Status Apply(const Settings& settings) {
    const std::string folder = "unix:" + service_.options().run_dir;
    const auto or_socket = [&](const std::string& address, const char* socket) {
      return address.empty() ? folder + socket : address;
    };
    const std::string discovery = or_socket(settings.discovery_address, "/discovery.sock");
    if (symbolizers_ == nullptr) StartSymbolizers(settings.symbolizer_addresses);
    const Surroundings surroundings{.node = node_,
                                    .discovery = discovery,
                                    .symbolizers = *symbolizers_,
                                    .kernel = kernel_,
                                    .metrics = metrics_,
                                    .service = service_,
                                    .env = env_};
    absl::Status status;
    std::vector<std::unique_ptr<RunningComponent>> ended;
    thread_.Run([&] {
      memory_.SetLimit(settings.map_bytes);
      status = SetSamplers(settings);
      if (!status.ok()) return;
      // Nothing is taken meanwhile: each sample is of the old components or of the new ones.
      ended = Change(settings, surroundings);
      core_.HoldAudits(!ended.empty());
      SetFailed(settings.failed);
    });
    STOKER_RETURN_IF_ERROR(status);
    SayUnbuilt(settings);
    // A changed component leaves its spool to its next run.
    std::erase_if(ended, [&](const auto& running) {
      if (!running->has_spool() || IsGone(*running, settings)) return false;
      running->End(absl::InfinitePast(), "removed");
      return true;
    });
    thread_.Run([&] {
      for (const auto& [id, running] : components_) {
        if (!running->started()) running->Start(FoundIn(id));
      }
    });
    const absl::Time deadline = absl::Now() + kGrace;
    for (const auto& running : ended) {
      running->End(deadline, "removed");
      // On disk, and nobody's until the component comes back.
      const std::uint64_t left = running->Leave();
      if (left > 0) metrics_.stage.Drop("removed", left);
    }
    thread_.Run([&] {
      for (const auto& running : ended) {
        const ComponentSettings& gone = running->component().settings();
        if (IsGone(*running, settings)) spools_opened_.erase(gone.key());
      }
      core_.HoldAudits(false);
    });
    return absl::OkStatus();
  }

  // Takes no more samples; waits until what was taken is acknowledged.
  void Stop() {
    std::vector<std::unique_ptr<RunningComponent>> ended;
    thread_.Run([&] {
      thread_.StopSamplers();
      for (int waits = 0; core_.Waiting() && waits < 10; ++waits) {
        absl::SleepFor(absl::Milliseconds(100));
        core_.Tick();
      }
      core_.FlushAll();
    });
    const absl::Time deadline = absl::Now() + kGrace;
    for (const auto& [id, running] : components_) running->End(deadline, "stopped");
    absl::MutexLock lock(&providers_mutex_);
    stopping_ = true;
    providers_.clear();
  }

  nlohmann::json State() {
    nlohmann::json state;
    thread_.Run([&] {
      state = core_.State();
      for (const auto& [id, running] : components_) {
        state["streams"][id] = running->State();
        state["targets"][id] = TargetState(running->component());
      }
      state["sample_rates"] = nlohmann::json::array();
      for (const SamplerKind& sampler : samplers_) {
        if (!sampler.off_cpu()) state["sample_rates"].push_back(sampler.rate);
      }
      for (const KernelRegion& region : kernel_.regions()) {
        state["kernel"].push_back({{"path", region.path}, {"table_bytes", region.table.size()}});
      }
      if (!kernel_status_.ok()) state["kernel_without_names"] = Message(kernel_status_);
    });
    return state;
  }

 private:
  // Whether no other run takes its place.
  static bool IsGone(RunningComponent& running, const Settings& settings) {
    return std::ranges::find(settings.components, running.component().settings().key(),
                             &ComponentSettings::key) == settings.components.end();
  }

  // On the collector's thread, as the next.
  void ReportHealth() {
    std::map<std::string, absl::Status> health;
    for (const auto& [key, running] : components_) {
      health[running->component().settings().id].Update(running->Health());
    }
    for (const auto& [id, status] : health) {
      if (!failed_.contains(id)) SetHealth(id, status);
    }
    for (const auto& [id, status] : failed_) SetHealth(id, status);
  }

  // Components whose new arguments were refused.
  void SetFailed(const std::map<std::string, absl::Status>& failed) {
    for (const auto& [id, status] : std::exchange(failed_, failed)) {
      if (!failed_.contains(id)) service_.RemoveHealth(id);
    }
    for (const auto& [id, status] : failed_) {
      log::Error("component keeps its last good arguments",
                 {{"component_id", id}, {"error", status}});
    }
  }

  void SetHealth(const std::string& id, const absl::Status& status) {
    service_.SetHealth(id, status.ok() ? runtime::Health::kHealthy : runtime::Health::kUnhealthy,
                       std::string(Message(status)));
  }

  // Those that wait for targets start and stop with them. On the collector's thread.
  void FollowTargets() {
    if (service_.clock().Monotonic() < next_follow_) return;
    std::set<SamplerKind> samplers;
    for (const auto& [id, running] : components_) {
      if (running->WantsSamples()) samplers.insert(running->component().settings().sampler());
    }
    if (samplers == samplers_) return;
    const absl::Status status = SetSamplers(samplers);
    if (status.ok()) return;
    log::Error("the kernel programs could not be started", {{"error", status}});
    next_follow_ = service_.clock().Monotonic() + kFollowAgain;
  }

  absl::Status SetSamplers(const Settings& settings) {
    std::set<SamplerKind> samplers;
    for (const ComponentSettings& component : settings.components) {
      const auto known = components_.find(component.key());
      const bool has_targets = known != components_.end() && known->second->HasTargets();
      if (has_targets || !component.arguments.lazy_mode) samplers.insert(component.sampler());
    }
    const absl::Status status = SetSamplers(samplers);
    if (status.ok()) return status;
    for (const ComponentSettings& component : settings.components) {
      ComponentMetrics(metrics_.registry, component.id).failing_sessions.Increment();
    }
    return status;
  }

  absl::Status SetSamplers(const std::set<SamplerKind>& samplers) {
    const absl::Status status = thread_.SetSamplers({samplers.begin(), samplers.end()});
    if (status.ok()) samplers_ = samplers;
    return status;
  }

  // Ends the intervals of components that are gone or have other arguments. Of the latter some go
  // on, and those whose stream must begin anew are replaced. Returns those that have ended.
  std::vector<std::unique_ptr<RunningComponent>> Change(const Settings& settings,
                                                        const Surroundings& surroundings) {
    std::vector<std::unique_ptr<RunningComponent>> ended;
    for (auto entry = components_.begin(); entry != components_.end();) {
      const bool stays = std::ranges::find(settings.components, entry->first,
                                           &ComponentSettings::key) != settings.components.end();
      if (stays) {
        ++entry;
        continue;
      }
      core_.Flush(entry->second->component());
      core_.Remove(entry->second->component());
      service_.RemoveHealth(entry->second->component().settings().id);
      ended.push_back(std::move(entry->second));
      entry = components_.erase(entry);
    }
    for (const ComponentSettings& component : settings.components) {
      std::unique_ptr<RunningComponent>& running = components_[component.key()];
      RunningComponent* before = nullptr;
      if (running != nullptr) {
        if (running->component().settings() == component) continue;
        core_.Flush(running->component());
        if (running->CanUpdate(component)) {
          running->Update(component);
          continue;
        }
        core_.Remove(running->component());
        before = ended.emplace_back(std::move(running)).get();
      }
      running = std::make_unique<RunningComponent>(component, surroundings, before);
      core_.Add(running->component());
    }
    return ended;
  }

  // Arguments that ask for what is not built, each once.
  void SayUnbuilt(const Settings& settings) {
    for (const ComponentSettings& component : settings.components) {
      for (const std::string& argument : component.arguments.unbuilt) {
        if (!said_.insert({component.id, argument}).second) continue;
        log::Warn("the argument asks for what is not built, and has no effect",
                  {{"component_id", component.id}, {"argument", argument}});
      }
    }
  }

  // What a component's spool holds from before enters this process once.
  std::function<void(std::uint64_t samples)> FoundIn(const std::string& component_id) {
    const bool first = spools_opened_.insert(component_id).second;
    return [this, first](std::uint64_t samples) {
      if (first) metrics_.stage.In(samples);
    };
  }

  // Which there are is taken once; which live, and where names lead, is followed.
  void StartSymbolizers(std::vector<std::string> addresses) {
    if (addresses.empty()) {
      addresses.push_back("unix:" + service_.options().run_dir + "/symbolizer.sock");
    }
    symbolizers_ = std::make_unique<cluster::Replicas>(
        cluster::Replicas::Options{.addresses = std::move(addresses)}, service_.dialer(),
        [this](const cluster::Replicas& replicas) { SetProviders(replicas.All()); });
  }

  // Every replica may ask for binaries: each owns some.
  void SetProviders(const std::vector<cluster::Replica>& replicas) {
    absl::MutexLock lock(&providers_mutex_);
    if (stopping_) return;
    std::erase_if(providers_, [&](const auto& provider) {
      return std::ranges::find(replicas, provider.first, &cluster::Replica::address) ==
             replicas.end();
    });
    for (const cluster::Replica& replica : replicas) {
      auto& provider = providers_[replica.address];
      if (provider == nullptr) provider = MakeProvider(replica.address);
    }
  }

  std::unique_ptr<SymbolProvider> MakeProvider(const std::string& symbolizer) {
    symbol::v1::WantRequest request;
    request.set_node_id(node_.name);
    request.set_boot_id(node_.boot_id);
    return std::make_unique<SymbolProvider>(
        SymbolProvider::Options{.address = symbolizer, .request = std::move(request)},
        service_.dialer(), service_.random(), binaries_, kernel_,
        [this](std::uint64_t bytes) { metrics_.put_bytes.Increment(static_cast<double>(bytes)); });
  }

  runtime::Service& service_;
  SystemEnv env_;
  const Node node_;
  Metrics metrics_;
  const KernelSymbols& kernel_;
  const absl::Status kernel_status_;
  walker::BpfMemory& memory_;
  sandbox::Sandbox sandbox_;
  BinaryStore binaries_;
  SandboxInspector inspector_;
  // Of its own: nothing else waits for large files.
  sandbox::Sandbox table_sandbox_;
  SystemProcessSource source_;
  unwind::TableCache table_cache_;
  walker::CachedTables tables_;
  JitReader jit_reader_;
  // Of its own: code may be freed while files are read.
  sandbox::Sandbox python_sandbox_;
  PythonCodeReader python_reader_;
  Collector core_;
  absl::Mutex providers_mutex_;
  // By the symbolizer's address.
  std::map<std::string, std::unique_ptr<SymbolProvider>> providers_
      ABSL_GUARDED_BY(providers_mutex_);
  bool stopping_ ABSL_GUARDED_BY(providers_mutex_) = false;
  // Made by the first Apply.
  std::unique_ptr<cluster::Replicas> symbolizers_;
  // By ComponentSettings::key. Changed on the thread only.
  std::map<std::string, std::unique_ptr<RunningComponent>> components_;
  std::map<std::string, absl::Status> failed_;
  // Those that run.
  std::set<SamplerKind> samplers_;
  absl::Duration next_follow_;
  // By component and argument.
  std::set<std::pair<std::string, std::string>> said_;
  std::set<std::string> spools_opened_;
  CollectorThread thread_;
};

// HTTP handlers outlive the parts they ask. Thread-safe.
class Handle {
 public:
  explicit Handle(Parts& parts) : parts_(&parts) {}

  nlohmann::json State() {
    absl::MutexLock lock(&mutex_);
    return parts_ == nullptr ? nlohmann::json() : parts_->State();
  }
  void Release() {
    absl::MutexLock lock(&mutex_);
    parts_ = nullptr;
  }

 private:
  absl::Mutex mutex_;
  Parts* parts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

runtime::ServiceInfo Info() {
  return {.process = "ebpf-collector",
          .summary =
              "Samples the stacks of all processes of this machine with eBPF and sends them to the "
              "symbolizer. Needs Linux 5.15 with BTF, and root or the capabilities CAP_BPF, "
              "CAP_PERFMON, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_CHECKPOINT_RESTORE and "
              "CAP_SYSLOG.",
          .http_listen = "",
          .grpc_listen = ""};
}

sandbox::Jobs SandboxJobs() {
  sandbox::Jobs jobs = FileJobs();
  jobs.emplace(elf::kInspectJob, elf::InspectJob);
  jobs.emplace(unwind::kTableJob, unwind::TableJob);
  jobs.emplace(kJitJob, JitJob);
  jobs.emplace(kPythonCodeJob, PythonCodeJob);
  jobs.emplace(kPythonRuntimeJob, PythonRuntimeJob);
  return jobs;
}

absl::Status RunProcess(runtime::Service& service, const absl::StatusOr<KernelSymbols>& kernel) {
  RaiseFileLimit();
  if (!kernel.ok()) log::Warn("no kernel symbols", {{"error", kernel.status()}});
  const KernelSymbols none;
  STOKER_RETURN_IF_ERROR(CheckKernelSupport());
  STOKER_ASSIGN_OR_RETURN(const auto memory, walker::BpfMemory::Create());
  Parts parts(service, kernel.ok() ? *kernel : none, kernel.status(), *memory);
  const auto handle = std::make_shared<Handle>(parts);
  LastGoodEbpf last("pyroscope.ebpf");
  const auto apply = [&](const runtime::ConfigurationPtr& configuration) -> absl::Status {
    LastGoodEbpf next = last;
    STOKER_RETURN_IF_ERROR(parts.Apply(LoadSettings(*configuration, next)));
    last = std::move(next);
    return absl::OkStatus();
  };
  STOKER_RETURN_IF_ERROR(service.Configure(apply));
  service.AddDebugState("ebpf", [handle] { return handle->State(); });
  absl::Status served = service.Serve({});
  if (served.ok()) service.WaitForStop();
  handle->Release();
  parts.Stop();
  return served;
}

}  // namespace stoker::ebpf
