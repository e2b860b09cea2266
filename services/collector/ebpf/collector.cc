#include "services/collector/ebpf/collector.h"

#include <utility>

#include "services/collector/ebpf/cache_state.h"

namespace stoker::ebpf {
namespace {

// How long an interval that is over waits for the inspector: a hostile file costs no more.
constexpr absl::Duration kMaxWait = absl::Seconds(1);
constexpr absl::Duration kSweepInterval = absl::Seconds(1);

}  // namespace

class Collector::Sink final : public SampleSink {
 public:
  Sink(Collector& collector, const SamplerKind& sampler)
      : collector_(collector), sampler_(sampler) {}

  void OnSample(const RawSample& sample) override {
    collector_.unwinder_.OnSample(sampler_, sample, collector_.clock_.Monotonic());
  }
  void OnExec(std::uint32_t pid) override { collector_.unwinder_.OnExec(pid); }
  void OnExit(std::uint32_t pid) override { collector_.unwinder_.OnExit(pid); }

 private:
  Collector& collector_;
  const SamplerKind sampler_;
};

SampleSink& Collector::SinkOf(const SamplerKind& sampler) {
  auto& sink = sinks_[sampler];
  if (sink == nullptr) sink = std::make_unique<Sink>(*this, sampler);
  return *sink;
}

void Collector::Deliver(const SamplerKind& sampler, const ProcessPtr& process,
                        const RawSample& sample) {
  metrics_.Stopped(sample.stop);
  jit_.OnSample(process, sample.user, clock_.Monotonic());
  python_.OnSample(process, sample.user, clock_.Monotonic());
  for (Component* component : components_) {
    if (component->settings().sampler() == sampler) component->OnSample(process, sample);
  }
}

void Collector::OnStats(const SamplerKind& sampler, const SamplerStats& stats) {
  const SamplerStats before = std::exchange(stats_[sampler], stats);
  for (std::size_t i = 0; i < stats.size(); ++i) {
    metrics_.sampler_stats[i]->Increment(static_cast<double>(stats[i] - before[i]));
  }
  const auto grown = [&](stoker_sampler_stat stat) { return stats[stat] - before[stat]; };
  if (const std::uint64_t waits = grown(STOKER_STAT_WAITS); waits > 0) {
    sampled_shares_[sampler] =
        static_cast<double>(grown(STOKER_STAT_TAKEN)) / static_cast<double>(waits);
  }
  for (Component* component : components_) {
    if (component->settings().sampler() == sampler) {
      component->OnLost("ring_full", grown(STOKER_STAT_RING_FULL));
      component->OnLost("not_interrupted", grown(STOKER_STAT_NOT_INTERRUPTED));
    }
  }
}

void Collector::Tick() {
  unwinder_.Update(clock_.Monotonic(), false);
  jit_.Update(clock_.Monotonic());
  python_.Update(clock_.Monotonic());
  const absl::Time now = clock_.Now();
  for (Component* component : components_) {
    if (!component->IsDue(now)) continue;
    const bool late = now >= component->next_flush() + kMaxWait;
    if (Waiting() && !late) continue;
    Flush(*component);
  }
  if (clock_.Monotonic() < next_sweep_) return;
  next_sweep_ = clock_.Monotonic() + kSweepInterval;
  unwinder_.Sweep(clock_.Monotonic());
  jit_.Sweep();
  python_.Sweep();
  Report();
  Audit();
}

void Collector::Report() {
  const ProcessTable& processes = unwinder_.processes();
  metrics_.processes.Set(static_cast<double>(processes.size()));
  metrics_.missed_processes.Set(static_cast<double>(processes.counts().missed));
  metrics_.unreadable_binaries.Set(static_cast<double>(processes.counts().unreadable));
  const walker::Publisher& publisher = unwinder_.publisher();
  metrics_.walker_bytes.Set(static_cast<double>(publisher.memory().bytes()));
  metrics_.walker_used_bytes.Set(static_cast<double>(publisher.used_bytes()));
  metrics_.walker_pages.Set(static_cast<double>(publisher.counts().pages));
  metrics_.walker_evictions.Set(static_cast<double>(publisher.counts().evictions));
  const PythonCodeTracker::Counts& python = python_.counts();
  metrics_.python_read.Set(static_cast<double>(python.read));
  metrics_.python_gone.Set(static_cast<double>(python.gone));
  metrics_.python_refused.Set(static_cast<double>(python.refused));
  metrics_.deferred_unwound.Set(static_cast<double>(unwinder_.deferred().counts().unwound));
}

void Collector::Flush(Component& component) {
  // Stacks that still wait belong to this interval: as far as they can be unwound.
  if (unwinder_.deferred().size() > 0) unwinder_.Update(clock_.Monotonic(), true);
  component.Flush(clock_.Now());
  const SamplerKind sampler = component.settings().sampler();
  // What one of several does not want, another may.
  const auto takes = [&](const Component* other) { return other->settings().sampler() == sampler; };
  if (!unwanted_ || !sampler.off_cpu() || std::ranges::count_if(components_, takes) != 1) return;
  for (const procfs::ProcessKey& process : component.unwanted()) unwanted_(sampler, process);
}

void Collector::FlushAll() {
  unwinder_.Update(clock_.Monotonic(), true);
  for (Component* component : components_) component->Flush(clock_.Now());
}

void Collector::Audit() {
  if (audits_held_) return;
  std::uint64_t held = 0;
  // Every queue is held still until the sum is compared.
  std::function<void(std::size_t)> next = [&](std::size_t index) {
    if (index == components_.size()) {
      metrics_.stage.Audit(held);
      return;
    }
    held += components_[index]->samples_counted();
    components_[index]->queue().Audit([&](std::uint64_t samples) {
      held += samples;
      next(index + 1);
    });
  };
  next(0);
}

nlohmann::json Collector::State() const {
  nlohmann::json state = CacheState(unwinder_.processes());
  state["processes"] = unwinder_.processes().size();
  state["mapping_reads"] = unwinder_.processes().counts().reads;
  state["missed_processes"] = unwinder_.processes().counts().missed;
  state["unreadable_binaries"] = unwinder_.processes().counts().unreadable;
  state["jit"] = {{"processes", jit_.processes()}, {"ranges", jit_.ranges()}};
  state["python"] = {{"processes", python_.processes()},
                     {"code_objects", python_.codes()},
                     {"read", python_.counts().read},
                     {"gone", python_.counts().gone},
                     {"refused", python_.counts().refused}};
  const walker::Publisher::Counts& counts = unwinder_.publisher().counts();
  const walker::DeferredStacks::Counts& deferred = unwinder_.deferred().counts();
  state["walker"] = {{"map_bytes", unwinder_.publisher().memory().bytes()},
                     {"used_bytes", unwinder_.publisher().used_bytes()},
                     {"files", counts.files},
                     {"text_bytes", counts.text_bytes},
                     {"pages", counts.pages},
                     {"page_bytes", counts.page_bytes},
                     {"fills", counts.fills},
                     {"evictions", counts.evictions},
                     {"rules", counts.rules},
                     {"rules_refused", counts.rules_refused},
                     {"deferred", deferred.taken},
                     {"deferred_unwound", deferred.unwound},
                     {"deferred_refused", deferred.refused}};
  for (const auto& [sampler, share] : sampled_shares_) {
    state["off_cpu"].push_back(
        {{"threshold", sampler.off_cpu_threshold}, {"sampled_share", share}});
  }
  for (const Component* component : components_) {
    state["components"].push_back({{"id", component->settings().key()},
                                   {"targets", component->targets()},
                                   {"samples_taken", component->samples_taken()},
                                   {"samples_counted", component->samples_counted()},
                                   {"queued_batches", component->queue().size()},
                                   {"queued_bytes", component->queue().bytes()},
                                   {"spooled_bytes", component->queue().spooled_bytes()}});
  }
  return state;
}

}  // namespace stoker::ebpf
