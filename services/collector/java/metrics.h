#pragma once

#include <string>
#include <string_view>

#include "services/common/forwarding/fanout_metrics.h"
#include "services/common/metrics/registry.h"
#include "services/common/metrics/stage.h"

namespace stoker::java {

// The metrics of the process.
struct Metrics {
  explicit Metrics(metrics::Registry& metrics_registry)
      : registry(metrics_registry), stage(metrics_registry, "java_collector") {}

  metrics::Registry& registry;
  // In samples of recordings, once they are read.
  metrics::Stage stage;
};

// The metrics of one pyroscope.java.
struct ComponentMetrics {
  ComponentMetrics(metrics::Registry& metrics_registry, const std::string& component)
      : registry(metrics_registry),
        labels{{"component_id", component}},
        fanout(registry, labels),
        targets(
            registry.Gauge("stoker_java_collector_targets", "Targets of the component.", labels)),
        recording(
            registry.Gauge("stoker_java_collector_recording", "JVMs that are profiled.", labels)),
        refused(registry.Gauge("stoker_java_collector_refused",
                               "Targets that are not profiled now, for a reason.", labels)),
        chunks(registry.Counter("stoker_java_collector_chunks_total", "Chunks that were read.",
                                labels)),
        recording_bytes(registry.Counter("stoker_java_collector_recording_bytes_total",
                                         "Bytes of recordings that were read.", labels)),
        failed_reads(registry.Counter("stoker_java_collector_failed_reads_total",
                                      "Recordings given up, as they could not be read.", labels)),
        truncated(registry.Counter("stoker_java_collector_truncated_samples_total",
                                   "Samples whose stack async-profiler cut.", labels)),
        attach_seconds(registry.Histogram("stoker_java_collector_attach_seconds",
                                          "Time that a helper took with a JVM.",
                                          {0.005, 0.02, 0.1, 0.5, 1, 2, 5, 10, 20, 45}, labels)) {}

  // Of what `action` and how it ended, see Name(AttachOutcome).
  prometheus::Counter& Actions(std::string_view action, std::string_view outcome) const {
    metrics::Labels with = labels;
    with["action"] = action;
    with["outcome"] = outcome;
    return registry.Counter("stoker_java_collector_attach_actions_total",
                            "What was done with JVMs, by how it ended.", with);
  }

  metrics::Registry& registry;
  const metrics::Labels labels;
  forwarding::FanoutMetrics fanout;
  prometheus::Gauge& targets;
  prometheus::Gauge& recording;
  prometheus::Gauge& refused;
  prometheus::Counter& chunks;
  prometheus::Counter& recording_bytes;
  prometheus::Counter& failed_reads;
  prometheus::Counter& truncated;
  prometheus::Histogram& attach_seconds;
};

}  // namespace stoker::java
