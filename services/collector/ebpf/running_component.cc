#include "services/collector/ebpf/running_component.h"

#include <fstream>
#include <utility>

#include <absl/time/clock.h>
#include <fmt/format.h>

#include "services/collector/ebpf/sampler.h"
#include "services/common/base/status.h"
#include "services/common/log/log.h"

namespace stoker::ebpf {
namespace {

// Discovery's refresh, at its default.
constexpr absl::Duration kRefresh = absl::Minutes(1);
// Of batches on disk, for each component.
constexpr std::uint64_t kSpoolBytes = std::uint64_t{1} << 30;

using sample::v1::Hello;

Hello::Demangle ToWire(config::PyroscopeEbpf::Demangle demangle) {
  switch (demangle) {
    case config::PyroscopeEbpf::Demangle::kNone:
      return Hello::DEMANGLE_NONE;
    case config::PyroscopeEbpf::Demangle::kSimplified:
      return Hello::DEMANGLE_SIMPLIFIED;
    case config::PyroscopeEbpf::Demangle::kTemplates:
      return Hello::DEMANGLE_TEMPLATES;
    case config::PyroscopeEbpf::Demangle::kFull:
      return Hello::DEMANGLE_FULL;
  }
  return Hello::DEMANGLE_UNSPECIFIED;
}

// Batches are numbered from 1 in each life of a component: a changed one is another run.
Hello MakeHello(const ComponentSettings& settings, const Node& node, std::uint64_t run_id) {
  Hello hello;
  hello.set_node_id(node.name);
  hello.set_boot_id(node.boot_id);
  hello.set_component_id(settings.id);
  for (const std::string& receiver : settings.arguments.forward_to) hello.add_receivers(receiver);
  hello.set_tenant(settings.tenant);
  hello.set_demangle(ToWire(settings.arguments.demangle));
  hello.set_hot_tables(static_cast<std::uint32_t>(settings.arguments.build_id_cache_size +
                                                  settings.arguments.same_file_cache_size));
  hello.mutable_sample_type()->set_type(settings.off_cpu ? "offcpu" : "cpu");
  hello.mutable_sample_type()->set_unit("nanoseconds");
  if (settings.off_cpu) {
    // Each sample has its own value; there is no period type.
    hello.set_period(1);
  } else {
    *hello.mutable_period_type() = hello.sample_type();
    hello.set_period(Sampler::PeriodNs(settings.arguments.sample_rate));
  }
  hello.set_run_id(run_id);
  return hello;
}

std::unique_ptr<BatchSpool> OpenSpool(const std::string& id, const Hello& hello,
                                      const Surroundings& with,
                                      const std::function<void(std::uint64_t samples)>& found) {
  Metrics& metrics = with.metrics;
  auto spool = BatchSpool::Open(
      {.folder = fmt::format("{}/batches/{}", with.service.options().data_dir, id),
       .segment_bytes = std::uint64_t{16} << 20,
       .max_bytes = kSpoolBytes,
       .reserve_bytes = 0},
      hello, with.env, with.service.clock(), spool::Metrics(metrics.registry, id),
      {.found = found,
       .done = [&metrics](std::uint64_t samples) { metrics.stage.Out(samples); },
       .dropped =
           [&metrics, of = ComponentMetrics(metrics.registry, hello.component_id())](
               std::string_view reason, std::uint64_t samples) {
             metrics.stage.Drop(reason, samples);
             of.pprofs_dropped.Increment();
           }});
  if (spool.ok()) return *std::move(spool);
  log::Error("no spool: what the symbolizer has not acknowledged waits in memory only",
             {{"component_id", id}, {"error", spool.status()}});
  return nullptr;
}

absl::Duration Linger(const ComponentSettings& settings) {
  return settings.arguments.collect_interval + kRefresh;
}

std::unique_ptr<targets::TargetWatcher> Watch(const ComponentSettings& settings,
                                              const Surroundings& with) {
  runtime::Service& service = with.service;
  return std::make_unique<targets::TargetWatcher>(
      targets::TargetWatcher::Options{.address = with.discovery,
                                      .component_id = settings.id,
                                      .node_name = with.node.name,
                                      .linger = Linger(settings)},
      service.dialer(), service.clock(), service.random(), [] {});
}

}  // namespace

Node ThisNode(const std::string& name) {
  std::string text;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> text;
  std::erase(text, '-');
  Node node{.name = name, .boot_id = {}};
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    node.boot_id.push_back(static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16)));
  }
  return node;
}

RunningComponent::RunningComponent(const ComponentSettings& settings,
                                   const Surroundings& surroundings, RunningComponent* before)
    : surroundings_(surroundings),
      hello_(MakeHello(settings, surroundings.node, surroundings.service.random().Next())),
      watcher_(before != nullptr ? std::move(before->watcher_) : Watch(settings, surroundings)),
      component_(
          settings, surroundings.kernel, surroundings.metrics,
          [this] { return watcher_->Targets(); }, surroundings.service.clock()) {
  watcher_->SetLinger(Linger(settings));
}

void RunningComponent::Start(const std::function<void(std::uint64_t samples)>& found) {
  spool_ = OpenSpool(component_.settings().key(), hello_, surroundings_, found);
  if (spool_ != nullptr) component_.queue().SpillTo(*spool_);
  stream_.emplace(SampleStream::Options{.hello = hello_}, surroundings_.symbolizers,
                  surroundings_.service.dialer(), surroundings_.service.random(),
                  component_.queue(), [this] { return component_.samples_taken(); });
}

bool RunningComponent::CanUpdate(const ComponentSettings& settings) const {
  return MakeHello(settings, surroundings_.node, hello_.run_id()).SerializeAsString() ==
         hello_.SerializeAsString();
}

void RunningComponent::Update(const ComponentSettings& settings) {
  component_.Update(settings);
  watcher_->SetLinger(Linger(settings));
}

void RunningComponent::End(absl::Time deadline, std::string_view reason) {
  BatchQueue& queue = component_.queue();
  if (queue.AwaitEmpty(deadline - absl::Now())) return;
  const std::size_t batches = queue.size();
  if (queue.Spill()) {
    log::Info("batches that are not acknowledged stay on disk",
              {{"component_id", component_.settings().key()}, {"bytes", queue.spooled_bytes()}});
    return;
  }
  log::Warn("samples not acknowledged",
            {{"component_id", component_.settings().key()}, {"batches", batches}});
  queue.DropAll(reason);
}

std::uint64_t RunningComponent::Leave() {
  stream_.reset();
  std::uint64_t held = 0;
  component_.queue().Audit([&held](std::uint64_t samples) { held = samples; });
  return held;
}

bool RunningComponent::HasTargets() const { return watcher_->state().targets > 0; }

bool RunningComponent::WantsSamples() const {
  return HasTargets() || !component_.settings().arguments.lazy_mode;
}

absl::Status RunningComponent::Health() const {
  if (!started()) return absl::OkStatus();
  if (const absl::Status status = stream_->status(); !status.ok()) {
    return WithContext(status, "the symbolizer");
  }
  if (const absl::Status status = watcher_->state().status; !status.ok()) {
    return WithContext(status, "discovery");
  }
  return absl::OkStatus();
}

nlohmann::json RunningComponent::State() const {
  const targets::TargetWatcher::State state = watcher_->state();
  return {{"targets", state.targets},
          {"synced", state.synced},
          {"symbolizer", started() ? stream_->address() : ""},
          {"run", fmt::format("{:016x}", hello_.run_id())},
          {"lazy", !WantsSamples()},
          {"hot_tables", hello_.hot_tables()},
          {"health", Health().ToString()}};
}

}  // namespace stoker::ebpf
