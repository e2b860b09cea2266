#include "services/collector/ebpf/target_matcher.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>
#include <vector>

#include "services/common/model/service_name.h"
#include "services/common/procfs/container_id.h"

namespace stoker::ebpf {
namespace {

constexpr char kServiceName[] = "service_name";
constexpr char kPrefix[] = "ebpf/";

std::optional<pid_t> ParsePid(std::string_view text) {
  std::uint32_t pid = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
  if (error != std::errc() || end != text.data() + text.size() || pid == 0) return std::nullopt;
  return static_cast<pid_t>(pid);
}

std::string_view ContainerId(const model::Labels& labels) {
  if (const auto id = labels.Get(model::kContainerIdLabel); !id.empty()) return id;
  if (const auto id = labels.Get("__meta_kubernetes_pod_container_id"); !id.empty()) {
    return procfs::CutContainerRuntime(id);
  }
  if (const auto id = labels.Get("__meta_docker_container_id"); !id.empty()) return id;
  return labels.Get("__meta_dockerswarm_task_container_id");
}

// Public labels, service_name, and the label that matched: relabelling may want it.
model::Labels PublicLabels(const model::Labels& target, std::string_view key,
                           std::string_view value) {
  std::vector<model::Label> labels;
  for (const model::LabelView label : target) {
    if (!label.name.starts_with("__")) labels.emplace_back(label);
  }
  labels.push_back({kServiceName, model::InferServiceName(target, kPrefix)});
  labels.push_back({std::string(key), std::string(value)});
  return model::Labels(std::move(labels));
}

}  // namespace

TargetMatcher::TargetMatcher(const model::TargetVector& targets, bool targets_only) {
  // The last of equal ones wins: an earlier one with the same key is replaced.
  for (const model::TargetPtr& target : targets) {
    const std::string_view pid_text = target->labels.Get(model::kProcessPidLabel);
    if (const auto pid = ParsePid(pid_text)) {
      auto matched = std::make_shared<const MatchedTarget>(
          MatchedTarget{std::string(target->id.view()),
                        PublicLabels(target->labels, model::kProcessPidLabel, pid_text)});
      const auto [first, last] = by_pid_.equal_range(*pid);
      auto same = std::find_if(first, last, [&](const auto& entry) {
        return entry.second.start_ticks == target->process_start_ticks;
      });
      if (same != last) {
        same->second.target = std::move(matched);
      } else {
        by_pid_.emplace(*pid, PidTarget{target->process_start_ticks, std::move(matched)});
      }
      continue;
    }
    const std::string_view id = ContainerId(target->labels);
    if (id.empty()) continue;
    by_container_[std::string(id)] = std::make_shared<const MatchedTarget>(
        MatchedTarget{std::string(target->id.view()),
                      PublicLabels(target->labels, model::kContainerIdLabel, id)});
  }
  if (targets_only) return;
  default_ = std::make_shared<const MatchedTarget>(
      MatchedTarget{.id = "", .labels = {{kServiceName, "ebpf/unspecified"}}});
}

std::vector<model::Labels> TargetMatcher::Labels() const {
  std::vector<model::Labels> labels;
  labels.reserve(size());
  for (const auto& [pid, entry] : by_pid_) labels.push_back(entry.target->labels);
  for (const auto& [id, target] : by_container_) labels.push_back(target->labels);
  return labels;
}

const MatchedTarget* TargetMatcher::Match(const procfs::ProcessKey& process,
                                          std::string_view container_id) const {
  const auto [first, last] = by_pid_.equal_range(process.pid);
  const PidTarget* any = nullptr;
  for (auto entry = first; entry != last; ++entry) {
    if (entry->second.start_ticks == process.start_ticks) return entry->second.target.get();
    if (entry->second.start_ticks == 0) any = &entry->second;
  }
  if (any != nullptr) return any->target.get();
  if (!container_id.empty()) {
    const auto found = by_container_.find(container_id);
    if (found != by_container_.end()) return found->second.get();
  }
  return default_.get();
}

}  // namespace stoker::ebpf
