#pragma once

#include <functional>

#include <absl/time/time.h>

#include "services/collector/ebpf/process_table.h"
#include "services/collector/ebpf/sampler.h"
#include "services/collector/ebpf/walker/deferred_stacks.h"
#include "services/collector/ebpf/walker/publisher.h"

namespace stoker::ebpf::walker {

// The processes that are sampled, as the collector and as the walker in the kernel know them: takes
// raw samples, and hands over samples whose stacks are as whole as can be. Used by one thread.
class Unwinder {
 public:
  // Borrows all; `deliver` is called within OnSample and Update.
  Unwinder(ProcessSource& source, BinaryInspector& inspector, Memory& memory, TableSource& tables,
           DeferredStacks::Deliver deliver)
      : publisher_(memory, tables),
        processes_(source, inspector),
        deliver_(deliver),
        deferred_(processes_, publisher_, std::move(deliver)) {}

  void OnSample(const SamplerKind& sampler, const RawSample& sample, absl::Duration now);
  void OnExec(std::uint32_t pid) { processes_.OnExec(pid); }
  void OnExit(std::uint32_t pid) { processes_.OnExit(pid); }

  // Takes what other threads have found, tells the walker, and hands over stacks that waited for
  // it; when `all`, also those that wait in vain.
  void Update(absl::Duration now, bool all);

  // Forgets what is over. About once a second.
  void Sweep(absl::Duration now);

  // Whether binaries that were asked for are not known yet, or stacks wait to be unwound.
  [[nodiscard]] bool Waiting() const { return processes_.Waiting() || deferred_.size() > 0; }

  [[nodiscard]] const ProcessTable& processes() const { return processes_; }
  [[nodiscard]] const Publisher& publisher() const { return publisher_; }
  [[nodiscard]] const DeferredStacks& deferred() const { return deferred_; }

 private:
  // Before the processes, whose images it publishes.
  Publisher publisher_;
  ProcessTable processes_;
  const DeferredStacks::Deliver deliver_;
  DeferredStacks deferred_;
  absl::Duration next_file_sweep_;
};

}  // namespace stoker::ebpf::walker
