#pragma once

#include <string>

#include "services/common/metrics/registry.h"

namespace stoker::discovery {

// Of a component that asks again and again, under the names that Prometheus gives them. `config` is
// the component's id.
struct RefreshMetrics {
  // `mechanism`: "docker" of discovery.docker.
  static RefreshMetrics Of(metrics::Registry& registry, const std::string& mechanism,
                           const std::string& component_id) {
    const metrics::Labels labels{{"mechanism", mechanism}, {"config", component_id}};
    return {
        &registry.Counter("prometheus_sd_refresh_failures_total",
                          "Refreshes of a discovery component that failed.", labels),
        &registry.Histogram("prometheus_sd_refresh_duration_histogram_seconds",
                            "Time that a refresh of a discovery component took.",
                            metrics::LatencyBounds(), labels),
        &registry.Summary("prometheus_sd_refresh_duration_seconds",
                          "Time that the last refreshes of a discovery component took.", labels)};
  }

  prometheus::Counter* failures;
  prometheus::Histogram* seconds;
  prometheus::Summary* last_seconds;
};

}  // namespace stoker::discovery
