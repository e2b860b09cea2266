#pragma once

#include <absl/time/time.h>

namespace stoker::config {

// Arguments of discovery.process without `join`, which is a list of targets. `username` and `uid`
// are true by default, as the seeds have it.
struct DiscoveryProcess {
  absl::Duration refresh_interval = absl::Seconds(60);
  bool exe = true;
  bool cwd = true;
  bool commandline = true;
  bool container_id = true;
  bool cgroup_path = false;
  bool username = true;
  bool uid = true;
  bool operator==(const DiscoveryProcess&) const = default;
};

}  // namespace stoker::config
