#pragma once

#include <string>

#include "services/common/metrics/registry.h"
#include "services/common/metrics/stage.h"

namespace stoker::forwarder {

// The metrics of the process.
struct Metrics {
  explicit Metrics(metrics::Registry& metrics_registry)
      : registry(metrics_registry), stage(metrics_registry, "forwarder") {}

  // Profiles that were not let in; `reason` as in the answer.
  prometheus::Counter& Rejected(const std::string& reason) {
    return registry.Counter("stoker_forwarder_rejected_profiles_total",
                            "Profiles that were not let in.", {{"reason", reason}});
  }

  metrics::Registry& registry;
  // In samples, of profiles that are in the spool.
  metrics::Stage stage;
};

// The metrics of one endpoint of a pyroscope.write, named as Alloy's.
struct EndpointMetrics {
  EndpointMetrics(metrics::Registry& registry, const std::string& component, const std::string& url)
      : EndpointMetrics(registry, {{"component_id", component}, {"endpoint", url}}) {}

  prometheus::Counter& sent_bytes;
  prometheus::Counter& sent_profiles;
  prometheus::Counter& dropped_bytes;
  prometheus::Counter& dropped_profiles;
  prometheus::Counter& retries;
  // One attempt, and from the first to the last.
  prometheus::Histogram& push_downstream;
  prometheus::Histogram& push_endpoint;
  prometheus::Histogram& ingest_downstream;
  prometheus::Histogram& ingest_endpoint;

 private:
  EndpointMetrics(metrics::Registry& registry, const metrics::Labels& labels)
      : sent_bytes(registry.Counter("pyroscope_write_sent_bytes_total",
                                    "Payload bytes the endpoint took.", labels)),
        sent_profiles(registry.Counter("pyroscope_write_sent_profiles_total",
                                       "Profiles the endpoint took.", labels)),
        dropped_bytes(registry.Counter("pyroscope_write_dropped_bytes_total",
                                       "Payload bytes the endpoint refused for good.", labels)),
        dropped_profiles(registry.Counter("pyroscope_write_dropped_profiles_total",
                                          "Profiles the endpoint refused for good.", labels)),
        retries(registry.Counter("pyroscope_write_retries_total",
                                 "Attempts that failed and are made again.", labels)),
        push_downstream(Latency(registry, labels, "push_downstream")),
        push_endpoint(Latency(registry, labels, "push_endpoint")),
        ingest_downstream(Latency(registry, labels, "ingest_downstream")),
        ingest_endpoint(Latency(registry, labels, "ingest_endpoint")) {}

  static prometheus::Histogram& Latency(metrics::Registry& registry, metrics::Labels labels,
                                        const char* type) {
    labels["type"] = type;
    return registry.Histogram("pyroscope_write_latency", "Time that sending takes, in seconds.",
                              metrics::LatencyBounds(), labels);
  }
};

}  // namespace stoker::forwarder
