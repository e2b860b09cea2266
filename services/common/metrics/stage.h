#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include <absl/synchronization/mutex.h>

#include "services/common/metrics/registry.h"

namespace stoker::metrics {

// The samples that pass one process: in = out + dropped{reason} + in flight, always. Exported as
// stoker_<process>_{in,out,dropped,in_flight}. What the owner really holds is counted apart, by
// Audit; stoker_<process>_conservation_error is the difference and stays 0. Thread-safe.
class Stage {
 public:
  // `process` as in metric names: "ebpf_collector".
  Stage(Registry& registry, const std::string& process);

  // `samples` entered and are in flight.
  void In(std::uint64_t samples);
  // Samples in flight were handed on and acknowledged.
  void Out(std::uint64_t samples);
  // Samples in flight are lost. `reason` is a short word of a closed set.
  void Drop(std::string_view reason, std::uint64_t samples);

  // `held` is what the process counted in its queues and tables. Call it from the thread that owns
  // them, where no sample is halfway.
  void Audit(std::uint64_t held);

  struct Counts {
    std::uint64_t in = 0;
    std::uint64_t out = 0;
    std::map<std::string, std::uint64_t, std::less<>> dropped;

    [[nodiscard]] std::uint64_t TotalDropped() const;
    [[nodiscard]] std::uint64_t InFlight() const { return in - out - TotalDropped(); }
  };
  [[nodiscard]] Counts Read() const;

 private:
  void ExportInFlight() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Registry& registry_;
  const std::string prefix_;
  prometheus::Counter& in_;
  prometheus::Counter& out_;
  prometheus::Gauge& in_flight_;
  prometheus::Gauge& error_;

  mutable absl::Mutex mutex_;
  Counts counts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace stoker::metrics
