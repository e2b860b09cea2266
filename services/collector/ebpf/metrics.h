#pragma once

#include <string>

#include "services/common/metrics/registry.h"
#include "services/common/metrics/stage.h"

namespace stoker::ebpf {

// The metrics of the process.
struct Metrics {
  explicit Metrics(metrics::Registry& metrics_registry)
      : registry(metrics_registry),
        stage(registry, "ebpf_collector"),
        sessions(registry.Counter("pyroscope_ebpf_profiling_sessions_total",
                                  "Samplers that were started.")),
        failing_sessions(registry.Counter("pyroscope_ebpf_profiling_sessions_failing_total",
                                          "Samplers that could not be started.")),
        processes(registry.Gauge("stoker_ebpf_processes", "Sampled processes in memory.")),
        missed_processes(registry.Gauge("stoker_ebpf_missed_processes_total",
                                        "Processes that ended before they could be read.")),
        unreadable_binaries(registry.Gauge("stoker_ebpf_unreadable_binaries_total",
                                           "Binaries of mappings that could not be read.")),
        put_bytes(registry.Counter("stoker_ebpf_symbol_bytes_total",
                                   "Bytes of symbols served, before compression.")) {}

  metrics::Registry& registry;
  metrics::Stage stage;
  prometheus::Counter& sessions;
  prometheus::Counter& failing_sessions;
  prometheus::Gauge& processes;
  prometheus::Gauge& missed_processes;
  prometheus::Gauge& unreadable_binaries;
  prometheus::Counter& put_bytes;
};

// The metrics of one component.
struct ComponentMetrics {
  ComponentMetrics(metrics::Registry& metrics_registry, std::string id)
      : registry(metrics_registry),
        component_id(std::move(id)),
        active_targets(registry.Gauge("pyroscope_ebpf_active_targets",
                                      "Targets that can match a process.",
                                      {{"component_id", component_id}})),
        pprofs_dropped(registry.Counter("pyroscope_ebpf_pprofs_dropped_total",
                                        "Batches that were lost on the way to the symbolizer.",
                                        {{"component_id", component_id}})) {}

  // What the acknowledged samples of a service became.
  void Delivered(const std::string& service_name, double profiles, double bytes, double samples) {
    const metrics::Labels labels = {{"component_id", component_id}, {"service_name", service_name}};
    registry.Counter("pyroscope_ebpf_pprofs_total", "Profiles delivered.", labels)
        .Increment(profiles);
    registry.Counter("pyroscope_ebpf_pprof_bytes_total", "Their bytes.", labels).Increment(bytes);
    registry.Counter("pyroscope_ebpf_pprof_samples_total", "Their samples.", labels)
        .Increment(samples);
  }

  metrics::Registry& registry;
  const std::string component_id;
  prometheus::Gauge& active_targets;
  prometheus::Counter& pprofs_dropped;
};

}  // namespace stoker::ebpf
