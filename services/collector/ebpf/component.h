#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <absl/time/time.h>

#include "services/collector/ebpf/batch_queue.h"
#include "services/collector/ebpf/kernel_symbols.h"
#include "services/collector/ebpf/metrics.h"
#include "services/collector/ebpf/settings.h"
#include "services/collector/ebpf/stack_counter.h"
#include "services/common/base/clock.h"
#include "services/common/model/target.h"

namespace stoker::ebpf {

// One pyroscope.ebpf: counts the samples of an interval, finds their targets at its end, and queues
// batches. Owned by the collector's thread; `queue` and `samples_taken` are for all.
class Component {
 public:
  // Borrows all but the settings. `targets` gives the list as it is now.
  Component(ComponentSettings settings, const KernelSymbols& kernel, Metrics& metrics,
            std::function<model::TargetVector()> targets, Clock& clock);

  void OnSample(const ProcessPtr& process, const RawSample& sample);
  // Samples that were taken and lost before they got here.
  void OnLost(std::string_view reason, std::uint64_t samples);

  // Since when the interval is over.
  [[nodiscard]] bool IsDue(absl::Time now) const { return now >= next_flush_; }
  [[nodiscard]] absl::Time next_flush() const { return next_flush_; }
  // Ends the interval: what it counted goes to the queue.
  void Flush(absl::Time now);

  // Processes of the last interval that had no target.
  [[nodiscard]] const std::set<procfs::ProcessKey>& unwanted() const { return unwanted_; }

  // New arguments; nothing may be counted yet of the interval.
  void Update(ComponentSettings settings);

  [[nodiscard]] const ComponentSettings& settings() const { return settings_; }
  [[nodiscard]] BatchQueue& queue() { return queue_; }
  [[nodiscard]] const BatchQueue& queue() const { return queue_; }
  [[nodiscard]] std::uint64_t samples_taken() const { return samples_taken_; }
  // Of the interval.
  [[nodiscard]] std::uint64_t samples_counted() const { return counter_.samples(); }
  [[nodiscard]] std::size_t targets() const { return matched_targets_; }
  // The labels of the targets that can match a process now.
  [[nodiscard]] std::vector<model::Labels> TargetLabels() const;

 private:
  void Drop(std::string_view reason, std::uint64_t samples);

  ComponentSettings settings_;
  const KernelSymbols& kernel_;
  Metrics& metrics_;
  ComponentMetrics component_metrics_;
  Clock& clock_;
  const std::function<model::TargetVector()> targets_;
  BatchQueue queue_;
  StackCounter counter_;
  // Of the interval: told to the symbolizer with its last batch.
  std::map<std::string, std::uint64_t, std::less<>> dropped_;
  std::atomic<std::uint64_t> samples_taken_ = 0;
  std::size_t matched_targets_ = 0;
  std::set<procfs::ProcessKey> unwanted_;
  absl::Time interval_start_;
  absl::Time next_flush_;
};

}  // namespace stoker::ebpf
