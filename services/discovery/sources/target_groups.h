#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "services/common/model/labels.h"

namespace stoker::discovery {

// Addresses that share labels, as Prometheus' file and HTTP discovery write them:
// [{"targets": ["host:port", ...], "labels": {"name": "value", ...}}, ...].
struct TargetGroup {
  std::vector<std::string> addresses;
  model::Labels labels;
  bool operator==(const TargetGroup&) const = default;
};

// How much memory the targets of groups take, for few bytes can stand for many.
class GroupsSize {
 public:
  void Add(const TargetGroup& group);
  // RESOURCE_EXHAUSTED where all of them, and so many strings of the next, take more than 128 MiB.
  [[nodiscard]] absl::Status With(std::size_t strings) const;

 private:
  std::size_t bytes_ = 0;
};

// Text of a file or an answer, as errors show it: its begin.
std::string Shown(std::string_view text);

// INVALID_ARGUMENT names the group and what is wrong with it. Unknown keys are refused, and targets
// that take too much (GroupsSize).
absl::StatusOr<std::vector<TargetGroup>> ParseJsonGroups(std::string_view text);
// The same in YAML, where a label may also be a number or a boolean: its text counts.
absl::StatusOr<std::vector<TargetGroup>> ParseYamlGroups(const std::string& text);

}  // namespace stoker::discovery
