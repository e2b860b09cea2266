#pragma once

#include <cstddef>
#include <cstdint>

#include <absl/time/time.h>

namespace stoker::store {

// What the store takes and answers. Names and phrases are Grafana Pyroscope's; sizes are larger
// where one machine can afford it, so that nothing that Pyroscope takes is refused here.
struct Limits {
  // Inflated.
  std::size_t max_profile_bytes = 64 << 20;
  std::size_t max_profile_samples = 200'000;
  std::size_t max_sample_labels = 100;
  std::size_t max_stack_depth = 1'000;
  std::size_t max_symbol_bytes = 65'535;

  std::size_t max_label_names = 30;
  std::size_t max_label_name_bytes = 1'024;
  std::size_t max_label_value_bytes = 2'048;
  std::size_t max_series = 1'000'000;

  absl::Duration reject_older_than = absl::Hours(24);
  absl::Duration reject_newer_than = absl::Minutes(10);

  std::int64_t default_flame_graph_nodes = 8'192;
  std::int64_t max_flame_graph_nodes = 1'048'576;
  // A timeline never has more points than this; a smaller step is refused.
  std::int64_t max_points = 100'000;
};

}  // namespace stoker::store
