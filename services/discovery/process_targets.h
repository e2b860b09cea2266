#pragma once

#include <optional>
#include <string>
#include <unordered_map>

#include "services/common/config/components/discovery_process.h"
#include "services/common/model/target.h"
#include "services/discovery/host_process.h"

namespace stoker::discovery {

// The labels of discovery.process for one process: `__process_pid__`, `__container_id__` and
// `__meta_process_{exe,cwd,commandline,username,uid,cgroup_path}`, the cgroup path also as
// `__meta_cgroup_path`, as the documentation of Alloy v1.18 spells it. Nothing for a process of
// which a wanted exe, cwd, command line or cgroup cannot be read: so kernel threads are left out.
std::optional<model::Labels> ProcessLabels(const HostProcess& process,
                                           const config::DiscoveryProcess& arguments);

// The container a target names: `__container_id__`, `__meta_kubernetes_pod_container_id` without
// its runtime, or `__meta_docker_container_id`, the first that is not empty. Empty where none is.
std::string_view ContainerIdOf(const model::Labels& labels);

// Makes the targets of discovery.process from lists of processes. Unchanged processes keep their
// targets' pointers. Not thread-safe.
class ProcessTargets {
 public:
  explicit ProcessTargets(config::DiscoveryProcess arguments) : arguments_(arguments) {}

  // Targets of `join` that name no container go through unchanged. A process in the container of
  // one gets its labels too, which win. Then each target that names a container follows, of several
  // for one container the last.
  model::TargetVector Make(const HostProcesses& processes, const model::TargetVector& join);

  // Processes left out of the last list.
  [[nodiscard]] std::size_t skipped() const { return skipped_; }

 private:
  // A process' target, and what it was made from.
  struct Made {
    std::shared_ptr<const HostProcess> process;
    model::TargetPtr joined;
    // Null: left out.
    model::TargetPtr target;
  };
  using ByContainer = std::unordered_map<std::string_view, model::TargetPtr>;

  [[nodiscard]] Made MakeOne(std::shared_ptr<const HostProcess> process,
                             model::TargetPtr joined) const;

  config::DiscoveryProcess arguments_;
  std::unordered_map<const HostProcess*, Made> made_;
  std::size_t skipped_ = 0;
};

}  // namespace stoker::discovery
