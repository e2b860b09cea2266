#include "services/discovery/process_targets.h"

#include <utility>

#include <fmt/format.h>

#include "services/common/model/label_editor.h"
#include "services/common/procfs/container_id.h"

namespace stoker::discovery {
namespace {

procfs::ProcessFields RequiredFields(const config::DiscoveryProcess& arguments) {
  procfs::ProcessFields fields = 0;
  if (arguments.exe) fields |= procfs::kExe;
  if (arguments.cwd) fields |= procfs::kCwd;
  if (arguments.commandline) fields |= procfs::kCommandline;
  if (arguments.container_id || arguments.cgroup_path) fields |= procfs::kCgroup;
  return fields;
}

// One target per container, the last of a list; in the order of their first.
std::vector<std::string_view> Containers(
    const model::TargetVector& join,
    std::unordered_map<std::string_view, model::TargetPtr>& by_container) {
  std::vector<std::string_view> order;
  for (const model::TargetPtr& target : join) {
    const std::string_view id = ContainerIdOf(target->labels);
    if (id.empty()) continue;
    if (by_container.insert_or_assign(id, target).second) order.push_back(id);
  }
  return order;
}

}  // namespace

std::optional<model::Labels> ProcessLabels(const HostProcess& host_process,
                                           const config::DiscoveryProcess& arguments) {
  const procfs::Process& process = host_process.process;
  if ((process.missing & RequiredFields(arguments)) != 0) return std::nullopt;
  std::vector<model::Label> labels = {
      {std::string(model::kProcessPidLabel), std::to_string(process.key.pid)}};
  const auto add = [&labels](bool wanted, std::string_view name, const std::string& value) {
    if (wanted) labels.push_back({std::string(name), value});
  };
  add(arguments.exe, "__meta_process_exe", process.exe);
  add(arguments.cwd, "__meta_process_cwd", process.cwd);
  add(arguments.commandline, "__meta_process_commandline", process.commandline);
  add(arguments.container_id, model::kContainerIdLabel, process.container_id);
  add(arguments.cgroup_path, "__meta_process_cgroup_path", process.cgroup);
  add(arguments.cgroup_path, "__meta_cgroup_path", process.cgroup);
  add(arguments.username, "__meta_process_username", host_process.username);
  const bool has_uid = (process.missing & procfs::kUid) == 0;
  add(arguments.uid && has_uid, "__meta_process_uid", std::to_string(process.uid));
  return model::Labels(std::move(labels));
}

std::string_view ContainerIdOf(const model::Labels& labels) {
  const std::string_view own = labels.Get(model::kContainerIdLabel);
  if (!own.empty()) return own;
  const std::string_view kubernetes =
      procfs::CutContainerRuntime(labels.Get("__meta_kubernetes_pod_container_id"));
  return kubernetes.empty() ? labels.Get("__meta_docker_container_id") : kubernetes;
}

ProcessTargets::Made ProcessTargets::MakeOne(std::shared_ptr<const HostProcess> process,
                                             model::TargetPtr joined) const {
  Made made{std::move(process), std::move(joined), nullptr};
  std::optional<model::Labels> labels = ProcessLabels(*made.process, arguments_);
  if (!labels) return made;
  if (made.joined != nullptr) {
    // Theirs win over its own.
    model::LabelEditor editor(made.joined->labels);
    for (const model::LabelView label : *labels) {
      if (editor.Get(label.name).empty()) editor.Set(label.name, label.value);
    }
    labels = editor.Make();
  }
  const procfs::ProcessKey& key = made.process->process.key;
  made.target = std::make_shared<const model::Target>(model::Target{
      fmt::format("process/{}/{}", key.pid, key.start_ticks), *std::move(labels), key.start_ticks});
  return made;
}

model::TargetVector ProcessTargets::Make(const HostProcesses& processes,
                                         const model::TargetVector& join) {
  ByContainer containers;
  const std::vector<std::string_view> order = Containers(join, containers);
  model::TargetVector targets;
  for (const model::TargetPtr& target : join) {
    if (ContainerIdOf(target->labels).empty()) targets.push_back(target);
  }
  std::unordered_map<const HostProcess*, Made> made;
  made.reserve(processes.size());
  skipped_ = 0;
  for (const auto& process : processes) {
    const auto container =
        arguments_.container_id ? containers.find(process->process.container_id) : containers.end();
    const model::TargetPtr joined = container == containers.end() ? nullptr : container->second;
    const auto old = made_.find(process.get());
    const bool reuse = old != made_.end() && old->second.joined == joined;
    Made one = reuse ? std::move(old->second) : MakeOne(process, joined);
    if (one.target == nullptr) {
      ++skipped_;
    } else {
      targets.push_back(one.target);
    }
    made.emplace(process.get(), std::move(one));
  }
  for (const std::string_view id : order) targets.push_back(containers.at(id));
  made_ = std::move(made);
  return targets;
}

}  // namespace stoker::discovery
