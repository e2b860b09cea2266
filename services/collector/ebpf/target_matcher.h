#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "services/common/model/target.h"
#include "services/common/procfs/process.h"

namespace stoker::ebpf {

// What the samples of a process are labelled with.
struct MatchedTarget {
  std::string id;
  model::Labels labels;
};

// Finds the target of a process: the one with its pid, else the one with its container id, else
// none. Of several targets with one key the last wins. Source: Alloy v1.18, pyroscope.ebpf.
class TargetMatcher {
 public:
  TargetMatcher() = default;
  // `targets_only` false: a process without a target has one named "ebpf/unspecified".
  TargetMatcher(const model::TargetVector& targets, bool targets_only);

  // Valid as long as the matcher; nullptr: the process is not to be profiled.
  [[nodiscard]] const MatchedTarget* Match(const procfs::ProcessKey& process,
                                           std::string_view container_id) const;
  // What the samples of each target that can match a process are labelled with.
  [[nodiscard]] std::vector<model::Labels> Labels() const;
  // Targets that can match a process.
  [[nodiscard]] std::size_t size() const { return by_pid_.size() + by_container_.size(); }

 private:
  struct PidTarget {
    // 0: any process of that pid.
    std::uint64_t start_ticks = 0;
    std::shared_ptr<const MatchedTarget> target;
  };
  // A pid that was reused has several, told apart by their start.
  std::unordered_multimap<pid_t, PidTarget> by_pid_;
  std::map<std::string, std::shared_ptr<const MatchedTarget>, std::less<>> by_container_;
  std::shared_ptr<const MatchedTarget> default_;
};

}  // namespace stoker::ebpf
