#pragma once

#include <string>

#include "services/common/metrics/registry.h"

namespace stoker::discovery {

// All metrics of discovery. No samples pass it, so it has no Stage.
struct Metrics {
  explicit Metrics(metrics::Registry& all)
      : registry(all),
        scan_seconds(all.Histogram("stoker_discovery_scan_seconds",
                                   "Time to look at the processes of this host once.",
                                   metrics::LatencyBounds())),
        scans_failed(all.Counter("stoker_discovery_scans_failed_total",
                                 "Looks that failed; the old list stayed.")),
        processes(all.Gauge("stoker_discovery_processes", "Processes of this host.")),
        processes_denied(all.Gauge("stoker_discovery_processes_denied",
                                   "Processes of which the kernel hides exe or cwd from us.")),
        processes_read(all.Counter("stoker_discovery_processes_read_total",
                                   "Processes whose files were read.")),
        processes_failed(all.Counter("stoker_discovery_processes_failed_total",
                                     "Processes whose files could not be made out.")),
        streams(all.Gauge("stoker_discovery_streams", "Watch streams that are open.")),
        streams_refused(
            all.Counter("stoker_discovery_streams_refused_total", "Watch calls refused.")),
        messages(all.Counter("stoker_discovery_messages_total", "Messages sent on streams.")),
        upserts(all.Counter("stoker_discovery_targets_sent_total", "Targets told to consumers.",
                            {{"change", "upsert"}})),
        removals(all.Counter("stoker_discovery_targets_sent_total", "Targets told to consumers.",
                             {{"change", "remove"}})) {}

  // What a component gives now; 0 where it does not run.
  prometheus::Gauge& Targets(const std::string& component_id) const {
    return registry.Gauge("stoker_discovery_targets", "Targets a component gives.",
                          {{"component_id", component_id}});
  }
  // What a component left out: dropped by a rule, or a process that cannot be read.
  prometheus::Gauge& Dropped(const std::string& component_id) const {
    return registry.Gauge("stoker_discovery_targets_dropped", "Targets a component leaves out.",
                          {{"component_id", component_id}});
  }
  prometheus::Counter& Errors(const std::string& component_id) const {
    return registry.Counter("stoker_discovery_evaluation_errors_total",
                            "Times a component began to fail and kept its last targets.",
                            {{"component_id", component_id}});
  }

  metrics::Registry& registry;
  prometheus::Histogram& scan_seconds;
  prometheus::Counter& scans_failed;
  prometheus::Gauge& processes;
  prometheus::Gauge& processes_denied;
  prometheus::Counter& processes_read;
  prometheus::Counter& processes_failed;
  prometheus::Gauge& streams;
  prometheus::Counter& streams_refused;
  prometheus::Counter& messages;
  prometheus::Counter& upserts;
  prometheus::Counter& removals;
};

}  // namespace stoker::discovery
