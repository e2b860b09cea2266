#include "services/collector/ebpf/collector.h"

#include <utility>

namespace stoker::ebpf {
namespace {

// How long an interval that is over waits for the inspector: a hostile file costs no more.
constexpr absl::Duration kMaxWait = absl::Seconds(1);
constexpr absl::Duration kSweepInterval = absl::Seconds(1);

}  // namespace

class Collector::Sink final : public SampleSink {
 public:
  Sink(Collector& collector, int rate) : collector_(collector), rate_(rate) {}

  void OnSample(const RawSample& sample) override {
    const ProcessPtr process = collector_.processes_.Find(sample, collector_.clock_.Monotonic());
    for (Component* component : collector_.components_) {
      if (component->settings().arguments.sample_rate == rate_) {
        component->OnSample(process, sample);
      }
    }
  }
  void OnExec(std::uint32_t pid) override { collector_.processes_.OnExec(pid); }
  void OnExit(std::uint32_t pid) override { collector_.processes_.OnExit(pid); }

 private:
  Collector& collector_;
  const int rate_;
};

SampleSink& Collector::SinkOf(int rate) {
  auto& sink = sinks_[rate];
  if (sink == nullptr) sink = std::make_unique<Sink>(*this, rate);
  return *sink;
}

void Collector::OnStats(int rate, const SamplerStats& stats) {
  const SamplerStats before = std::exchange(stats_[rate], stats);
  const std::uint64_t lost = stats[STOKER_STAT_RING_FULL] - before[STOKER_STAT_RING_FULL];
  for (Component* component : components_) {
    if (component->settings().arguments.sample_rate == rate) component->OnLost("ring_full", lost);
  }
}

void Collector::Tick() {
  processes_.Update();
  const absl::Time now = clock_.Now();
  for (Component* component : components_) {
    if (!component->IsDue(now)) continue;
    if (processes_.Waiting() && !(now >= component->next_flush() + kMaxWait)) continue;
    component->Flush(now);
  }
  if (clock_.Monotonic() < next_sweep_) return;
  next_sweep_ = clock_.Monotonic() + kSweepInterval;
  processes_.Sweep(clock_.Monotonic());
  metrics_.processes.Set(static_cast<double>(processes_.size()));
  metrics_.missed_processes.Set(static_cast<double>(processes_.counts().missed));
  metrics_.unreadable_binaries.Set(static_cast<double>(processes_.counts().unreadable));
  Audit();
}

void Collector::FlushAll() {
  processes_.Update();
  for (Component* component : components_) component->Flush(clock_.Now());
}

void Collector::Audit() {
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
  nlohmann::json state;
  state["processes"] = processes_.size();
  state["mapping_reads"] = processes_.counts().reads;
  state["missed_processes"] = processes_.counts().missed;
  state["unreadable_binaries"] = processes_.counts().unreadable;
  for (const Component* component : components_) {
    state["components"].push_back({{"id", component->settings().id},
                                   {"targets", component->targets()},
                                   {"samples_taken", component->samples_taken()},
                                   {"samples_counted", component->samples_counted()},
                                   {"queued_batches", component->queue().size()},
                                   {"queued_bytes", component->queue().bytes()}});
  }
  return state;
}

}  // namespace stoker::ebpf
