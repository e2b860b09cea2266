#pragma once

#include <array>
#include <string>

#include "bpf/shared/records.h"
#include "bpf/shared/stats.h"
#include "services/collector/ebpf/stop_word.h"
#include "services/common/metrics/registry.h"
#include "services/common/metrics/stage.h"

namespace stoker::ebpf {

// The metrics of the process.
struct Metrics {
  explicit Metrics(metrics::Registry& metrics_registry)
      : registry(metrics_registry),
        stage(registry, "ebpf_collector"),
        processes(registry.Gauge("stoker_ebpf_processes", "Sampled processes in memory.")),
        missed_processes(registry.Gauge("stoker_ebpf_missed_processes_total",
                                        "Processes that ended before they could be read.")),
        unreadable_binaries(registry.Gauge("stoker_ebpf_unreadable_binaries_total",
                                           "Binaries of mappings that could not be read.")),
        walker_bytes(registry.Gauge("stoker_ebpf_unwind_map_bytes",
                                    "Kernel memory of the stack walker's maps.")),
        walker_used_bytes(registry.Gauge("stoker_ebpf_unwind_used_bytes",
                                         "What of it holds mappings and unwind tables.")),
        walker_pages(registry.Gauge("stoker_ebpf_unwind_pages",
                                    "Pages of unwind tables that the walker has.")),
        walker_evictions(registry.Gauge("stoker_ebpf_unwind_evictions_total",
                                        "Pages taken from it because the memory was full.")),
        deferred_unwound(registry.Gauge("stoker_ebpf_deferred_unwound_total",
                                        "Stacks that were unwound after their tables came.")),
        python_read(PythonCode("read")),
        python_gone(PythonCode("gone")),
        python_refused(PythonCode("refused")),
        put_bytes(registry.Counter("stoker_ebpf_symbol_bytes_total",
                                   "Bytes of symbols served, before compression.")) {
    static constexpr const char* kStats[] = {
#define STOKER_STAT(name, meaning) meaning,
        STOKER_SAMPLER_STATS(STOKER_STAT)
#undef STOKER_STAT
    };
    for (std::size_t i = 0; i < sampler_stats.size(); ++i) {
      sampler_stats[i] =
          &registry.Counter("stoker_ebpf_sampler_events_total",
                            "What the samplers in the kernel counted.", {{"event", kStats[i]}});
    }
    for (std::size_t i = 0; i < stopped.size(); ++i) {
      stopped[i] = &registry.Counter("stoker_ebpf_unwind_samples_total",
                                     "Samples by why the unwinding of their user stack ended.",
                                     {{"reason", StopWord(static_cast<stoker_stop>(i))}});
    }
  }

  prometheus::Gauge& PythonCode(const char* outcome) {
    return registry.Gauge("stoker_ebpf_python_code_total",
                          "Code objects of Python that were looked up in the process' memory.",
                          {{"outcome", outcome}});
  }

  // A sample's stack ended so.
  void Stopped(stoker_stop stop) {
    if (static_cast<std::size_t>(stop) < stopped.size()) stopped[stop]->Increment();
  }

  metrics::Registry& registry;
  metrics::Stage stage;
  prometheus::Gauge& processes;
  prometheus::Gauge& missed_processes;
  prometheus::Gauge& unreadable_binaries;
  prometheus::Gauge& walker_bytes;
  prometheus::Gauge& walker_used_bytes;
  prometheus::Gauge& walker_pages;
  prometheus::Gauge& walker_evictions;
  prometheus::Gauge& deferred_unwound;
  prometheus::Gauge& python_read;
  prometheus::Gauge& python_gone;
  prometheus::Gauge& python_refused;
  prometheus::Counter& put_bytes;
  std::array<prometheus::Counter*, STOKER_STAT_COUNT> sampler_stats{};
  std::array<prometheus::Counter*, STOKER_STOP_COUNT> stopped{};
};

// The metrics of one component.
struct ComponentMetrics {
  ComponentMetrics(metrics::Registry& metrics_registry, std::string id)
      : registry(metrics_registry),
        component_id(std::move(id)),
        active_targets(registry.Gauge("pyroscope_ebpf_active_targets",
                                      "Targets that can match a process.",
                                      {{"component_id", component_id}})),
        sessions(registry.Counter("pyroscope_ebpf_profiling_sessions_total",
                                  "Intervals that were profiled.",
                                  {{"component_id", component_id}})),
        failing_sessions(registry.Counter("pyroscope_ebpf_profiling_sessions_failing_total",
                                          "Times that its kernel programs could not be started.",
                                          {{"component_id", component_id}})),
        fanout_latency(registry.Histogram(
            "pyroscope_fanout_latency",
            "Time from the end of an interval until its profiles are durable, in seconds.",
            metrics::LatencyBounds(), {{"component_id", component_id}})),
        pprofs_dropped(
            registry.Counter("pyroscope_ebpf_pprofs_dropped_total",
                             "Times that batches were lost on the way to the symbolizer.",
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
  prometheus::Counter& sessions;
  prometheus::Counter& failing_sessions;
  prometheus::Histogram& fanout_latency;
  prometheus::Counter& pprofs_dropped;
};

}  // namespace stoker::ebpf
