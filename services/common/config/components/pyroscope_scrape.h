#pragma once

#include <map>
#include <string>
#include <vector>

#include <absl/time/time.h>

#include "services/common/config/components/http_client_config.h"

namespace stoker::config {

// Arguments of pyroscope.scrape without `targets`. Defaults are the seeds' where they name one,
// else Alloy v1.18's.
struct PyroscopeScrape {
  struct ProfileType {
    bool enabled = false;
    std::string path;
    // The request blocks for an interval: it carries `seconds`.
    bool delta = false;
    bool operator==(const ProfileType&) const = default;
  };

  struct ProfilingConfig {
    std::string path_prefix;
    ProfileType memory = {true, "/debug/pprof/allocs", false};
    ProfileType block = {true, "/debug/pprof/block", false};
    ProfileType goroutine = {true, "/debug/pprof/goroutine", false};
    ProfileType mutex = {true, "/debug/pprof/mutex", false};
    ProfileType process_cpu = {true, "/debug/pprof/profile", true};
    ProfileType fgprof = {false, "/debug/fgprof", true};
    ProfileType godeltaprof_memory = {false, "/debug/pprof/delta_heap", false};
    ProfileType godeltaprof_mutex = {false, "/debug/pprof/delta_mutex", false};
    ProfileType godeltaprof_block = {false, "/debug/pprof/delta_block", false};
    // By their labels; one named like a built-in type takes its place.
    std::map<std::string, ProfileType> custom;

    // All types by name ("process_cpu"), custom ones over the built-in.
    [[nodiscard]] std::map<std::string, ProfileType> AllTypes() const;
    bool operator==(const ProfilingConfig&) const = default;
  };

  std::vector<std::string> forward_to;
  // The value of the label `job`; "" stands for the component's id.
  std::string job_name;
  // Query parameters; of each the first value counts.
  std::map<std::string, std::vector<std::string>> params;
  absl::Duration scrape_interval = absl::Seconds(15);
  absl::Duration scrape_timeout = absl::Seconds(18);
  std::string scheme = "http";
  // 14 s stands for scrape_interval less one second.
  absl::Duration delta_profiling_duration = absl::Seconds(14);
  HttpClientConfig client;
  ProfilingConfig profiling_config;
  // Whether the replicas of `stoker { cluster }` share the targets.
  bool clustering = false;
  bool operator==(const PyroscopeScrape&) const = default;
};

}  // namespace stoker::config
