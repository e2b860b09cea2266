#pragma once

#include <absl/time/time.h>

#include "services/common/metrics/registry.h"

namespace stoker::forwarding {

// Of one component that hands profiles to the forwarder; named as Alloy's.
struct FanoutMetrics {
  FanoutMetrics(metrics::Registry& registry, const metrics::Labels& labels)
      : latency(registry.Histogram("pyroscope_fanout_latency",
                                   "Time until the forwarder has a profile, in seconds.",
                                   metrics::LatencyBounds(), labels)),
        entries(registry.Counter("pyroscope_forwarded_entries_total",
                                 "Profiles that the forwarder has accepted.", labels)) {}

  // The forwarder has accepted a profile.
  void Accepted(absl::Duration waited) const {
    latency.Observe(absl::ToDoubleSeconds(waited));
    entries.Increment();
  }

  prometheus::Histogram& latency;
  prometheus::Counter& entries;
};

}  // namespace stoker::forwarding
