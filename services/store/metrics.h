#pragma once

#include <string>
#include <string_view>

#include "services/common/metrics/registry.h"
#include "services/common/metrics/stage.h"

namespace stoker::store {

// All metrics of stoker-store. What comes from elsewhere is pprof whose sampling nobody here knows,
// so one pprof Sample (a stack and its values) counts as one sample.
struct Metrics {
  explicit Metrics(metrics::Registry& all)
      : registry(all),
        stage(all, "store"),
        profiles(all.Counter("pyroscope_distributor_profiles_received_total",
                             "Profiles received, whatever became of them.")),
        compressed_bytes(all.Histogram("pyroscope_distributor_received_compressed_bytes",
                                       "Bytes of a profile as received.",
                                       {1e3, 4e3, 16e3, 64e3, 256e3, 1e6, 4e6, 16e6})),
        duplicates(all.Counter("stoker_store_duplicate_profiles_total",
                               "Profiles that were stored already under their ID.")),
        head_bytes(all.Gauge("stoker_store_head_bytes", "Memory of the newest profiles.")),
        series(all.Gauge("stoker_store_series", "Series known.")),
        blocks(all.Gauge("stoker_store_blocks", "Blocks on disk.")),
        block_bytes(all.Gauge("stoker_store_block_bytes", "Bytes of blocks on disk.")),
        damaged_blocks(all.Gauge("stoker_store_damaged_blocks",
                                 "Blocks that were set aside because they are damaged.")) {}

  // A profile that was refused: `reason` is one of Pyroscope's words.
  void Discard(std::string_view reason, double samples, double bytes) {
    const metrics::Labels labels = {{"reason", std::string(reason)}, {"tenant", "anonymous"}};
    registry
        .Counter("pyroscope_discarded_samples_total", "Samples of profiles that were refused.",
                 labels)
        .Increment(samples);
    registry
        .Counter("pyroscope_discarded_bytes_total", "Bytes of profiles that were refused.", labels)
        .Increment(bytes);
  }

  metrics::Registry& registry;
  metrics::Stage stage;
  prometheus::Counter& profiles;
  prometheus::Histogram& compressed_bytes;
  prometheus::Counter& duplicates;
  prometheus::Gauge& head_bytes;
  prometheus::Gauge& series;
  prometheus::Gauge& blocks;
  prometheus::Gauge& block_bytes;
  prometheus::Gauge& damaged_blocks;
};

}  // namespace stoker::store
