#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <absl/time/time.h>
#include <nlohmann/json.hpp>

#include "services/collector/ebpf/component.h"
#include "services/collector/ebpf/jit/jit_tracker.h"
#include "services/collector/ebpf/process_table.h"
#include "services/collector/ebpf/python/code_tracker.h"
#include "services/collector/ebpf/sampler.h"
#include "services/collector/ebpf/walker/unwinder.h"
#include "services/common/base/clock.h"

namespace stoker::ebpf {

// The core: given samples, what /proc says, targets and time, it fills the components' queues. It
// has no thread, no kernel and no connection of its own. Used by one thread.
class Collector {
 public:
  // Borrows all. `jit` has the names of code that programs make as they run, `python`
  // those of code that interpreters run; null: there are none.
  Collector(ProcessSource& source, BinaryInspector& inspector, walker::Memory& memory,
            walker::TableSource& tables, Metrics& metrics, Clock& clock, JitSource* jit = nullptr,
            PythonCodeSource* python = nullptr)
      : metrics_(metrics),
        clock_(clock),
        jit_(jit),
        python_(python),
        unwinder_(source, inspector, memory, tables,
                  [this](const SamplerKind& sampler, const ProcessPtr& process,
                         const RawSample& sample) { Deliver(sampler, process, sample); }) {}

  // Components are borrowed, until removed.
  void Add(Component& component) { components_.push_back(&component); }
  void Remove(Component& component) { std::erase(components_, &component); }

  // Is told of processes whose samples no component wanted in an interval that is over. Before the
  // first Tick.
  using Unwanted =
      std::function<void(const SamplerKind& sampler, const procfs::ProcessKey& process)>;
  void SetUnwanted(Unwanted unwanted) { unwanted_ = std::move(unwanted); }

  // Where the sampler of that kind leaves its records. Lives as long as the collector.
  SampleSink& SinkOf(const SamplerKind& sampler);

  // A sampler of that kind was started: its counters are those of no earlier one.
  void OnSamplerStart(const SamplerKind& sampler) {
    stats_.erase(sampler);
    sampled_shares_.erase(sampler);
  }
  // The counters of a sampler: what it lost is shared out to the components.
  void OnStats(const SamplerKind& sampler, const SamplerStats& stats);

  // Lets time pass: takes the inspector's answers, ends intervals that are over.
  void Tick();

  // Ends all intervals now.
  void FlushAll();
  // Ends the component's interval now.
  void Flush(Component& component);

  // Checks that no sample is halfway.
  void Audit();
  // While components are exchanged, samples of those that end are with nobody who is asked.
  void HoldAudits(bool hold) { audits_held_ = hold; }

  [[nodiscard]] nlohmann::json State() const;
  // Whether binaries or names that were asked for are not known yet, or stacks wait to be unwound.
  [[nodiscard]] bool Waiting() const {
    return unwinder_.Waiting() || jit_.Waiting() || python_.Waiting();
  }

 private:
  class Sink;

  // A sample whose stack is as it will be.
  void Deliver(const SamplerKind& sampler, const ProcessPtr& process, const RawSample& sample);
  void Report();

  Metrics& metrics_;
  Clock& clock_;
  Unwanted unwanted_;
  JitTracker jit_;
  PythonCodeTracker python_;
  walker::Unwinder unwinder_;
  std::vector<Component*> components_;
  std::map<SamplerKind, std::unique_ptr<SampleSink>> sinks_;
  std::map<SamplerKind, SamplerStats> stats_;
  // Of waits that ended in the last second, those that were sampled.
  std::map<SamplerKind, double> sampled_shares_;
  absl::Duration next_sweep_;
  bool audits_held_ = false;
};

}  // namespace stoker::ebpf
