#pragma once

#include <string>
#include <vector>

#include <absl/time/time.h>

namespace stoker::config {

// Arguments of pyroscope.ebpf without `targets`, which discovery evaluates. Defaults are the seeds'
// where they name one, else Alloy v1.18's.
struct PyroscopeEbpf {
  enum class Demangle { kNone, kSimplified, kTemplates, kFull };
  enum class Comm { kNone, kLabel, kStackframe, kBoth };

  // Component ids of receivers.
  std::vector<std::string> forward_to;
  absl::Duration collect_interval = absl::Seconds(15);
  int sample_rate = 97;
  bool collect_user_profile = true;
  bool collect_kernel_profile = true;
  bool kernel_frames = true;
  Demangle demangle = Demangle::kNone;
  Comm comm = Comm::kNone;
  bool pid_label = false;
  // False: processes without a target are profiled too, under service_name "ebpf/unspecified".
  bool targets_only = true;
  bool python_enabled = true;
  bool lazy_mode = false;
  double off_cpu_threshold = 0;
  // Bounds of memory, in entries; never of correctness.
  int pid_cache_size = 32;
  int build_id_cache_size = 64;
  int same_file_cache_size = 8;
  int container_id_cache_size = 1024;
  int symbols_map_size = 16384;
  int pid_map_size = 2048;
  // Arguments that ask for what is not built, in the order in which they are written.
  std::vector<std::string> unbuilt;
  bool operator==(const PyroscopeEbpf&) const = default;
};

}  // namespace stoker::config
