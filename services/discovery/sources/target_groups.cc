#include "services/discovery/sources/target_groups.h"

#include <utility>

#include <yaml-cpp/yaml.h>

#include "services/common/base/status.h"

namespace stoker::discovery {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{128} << 20;
// Beside its characters.
constexpr std::size_t kStringBytes = 64;
constexpr std::size_t kMaxShown = 200;

absl::Status YamlError(const YAML::Node& node, std::string_view what) {
  return InvalidArgument("line {}: {}", node.Mark().line + 1, what);
}

absl::Status ReadYamlTargets(const YAML::Node& node, std::vector<std::string>& addresses) {
  if (!node.IsSequence()) return YamlError(node, "`targets` is not a list");
  for (const YAML::Node& address : node) {
    if (!address.IsScalar()) return YamlError(address, "a target is not a string");
    addresses.push_back(address.Scalar());
  }
  return absl::OkStatus();
}

absl::StatusOr<model::Labels> ReadYamlLabels(const YAML::Node& node) {
  if (node.IsNull()) return model::Labels();
  if (!node.IsMap()) return YamlError(node, "`labels` is not a map");
  std::vector<model::Label> labels;
  for (const auto& entry : node) {
    if (!entry.first.IsScalar()) return YamlError(entry.first, "the name of a label is no string");
    const std::string& name = entry.first.Scalar();
    if (!entry.second.IsScalar() && !entry.second.IsNull()) {
      return YamlError(entry.second, fmt::format("the label `{}` is not a string", Shown(name)));
    }
    labels.push_back({name, entry.second.IsNull() ? "" : entry.second.Scalar()});
  }
  return model::Labels(std::move(labels));
}

absl::StatusOr<TargetGroup> ReadYamlGroup(const YAML::Node& node) {
  if (!node.IsMap()) return YamlError(node, "a target group is not a map");
  TargetGroup group;
  for (const auto& entry : node) {
    const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "";
    if (key == "targets") {
      STOKER_RETURN_IF_ERROR(ReadYamlTargets(entry.second, group.addresses));
    } else if (key == "labels") {
      STOKER_ASSIGN_OR_RETURN(group.labels, ReadYamlLabels(entry.second));
    } else {
      return YamlError(entry.first, fmt::format("unknown key `{}`", Shown(key)));
    }
  }
  return group;
}

absl::StatusOr<std::vector<TargetGroup>> ReadYamlGroups(const YAML::Node& root) {
  std::vector<TargetGroup> groups;
  if (root.IsNull()) return groups;
  if (!root.IsSequence()) return YamlError(root, "not a list of target groups");
  GroupsSize size;
  for (const YAML::Node& node : root) {
    STOKER_ASSIGN_OR_RETURN(TargetGroup group, ReadYamlGroup(node));
    size.Add(group);
    STOKER_RETURN_IF_ERROR(size.With(0));
    groups.push_back(std::move(group));
  }
  return groups;
}

}  // namespace

void GroupsSize::Add(const TargetGroup& group) {
  // Each target has all of its group's labels.
  std::size_t labels = 2 * kStringBytes;
  for (const model::LabelView label : group.labels) {
    labels += label.name.size() + label.value.size() + kStringBytes;
  }
  bytes_ += labels * (group.addresses.size() + 1);
  for (const std::string& address : group.addresses) bytes_ += address.size();
}

absl::Status GroupsSize::With(std::size_t strings) const {
  if (bytes_ + strings * kStringBytes <= kMaxBytes) return absl::OkStatus();
  return ResourceExhausted("the targets take more than {} MiB", kMaxBytes >> 20);
}

std::string Shown(std::string_view text) {
  if (text.size() <= kMaxShown) return std::string(text);
  return std::string(text.substr(0, kMaxShown)) + "...";
}

absl::StatusOr<std::vector<TargetGroup>> ParseYamlGroups(const std::string& text) {
  try {
    return ReadYamlGroups(YAML::Load(text));
  } catch (const YAML::Exception& error) {
    return InvalidArgument("line {}, column {}: {}", error.mark.line + 1, error.mark.column + 1,
                           error.msg);
  }
}

}  // namespace stoker::discovery
