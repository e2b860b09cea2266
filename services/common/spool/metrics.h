#pragma once

#include <string>

#include "services/common/metrics/registry.h"

namespace stoker::spool {

// The metrics of one spool; `name` tells the spools of a process apart.
struct Metrics {
  Metrics(metrics::Registry& registry, const std::string& name)
      : bytes(registry.Gauge("stoker_spool_bytes", "Bytes on disk.", {{"spool", name}})),
        segments(registry.Gauge("stoker_spool_segments", "Files on disk.", {{"spool", name}})),
        full(registry.Gauge("stoker_spool_full", "1 while the disk has no space for more.",
                            {{"spool", name}})),
        appended_bytes(registry.Counter("stoker_spool_appended_bytes_total",
                                        "Payload bytes made durable.", {{"spool", name}})),
        failed_writes(registry.Counter("stoker_spool_failed_writes_total",
                                       "Writes and syncs that failed.", {{"spool", name}})),
        damaged_bytes(registry.Counter("stoker_spool_damaged_bytes_total",
                                       "Bytes that were no sound record.", {{"spool", name}})),
        torn_bytes(registry.Counter("stoker_spool_torn_bytes_total",
                                    "Bytes that a crash left behind the last sound record.",
                                    {{"spool", name}})),
        commit_seconds(registry.Histogram("stoker_spool_commit_seconds",
                                          "Time to write and sync a group of records.",
                                          metrics::LatencyBounds(), {{"spool", name}})) {}

  prometheus::Gauge& bytes;
  prometheus::Gauge& segments;
  prometheus::Gauge& full;
  prometheus::Counter& appended_bytes;
  prometheus::Counter& failed_writes;
  prometheus::Counter& damaged_bytes;
  prometheus::Counter& torn_bytes;
  prometheus::Histogram& commit_seconds;
};

}  // namespace stoker::spool
