#include "services/common/procfs/container_id.h"

#include <algorithm>

namespace stoker::procfs {
namespace {

constexpr std::size_t kIdLength = 64;

bool IsId(std::string_view text) {
  return text.size() == kIdLength && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

// The id within one component of a cgroup path: `[slice:runtime:][prefix-]id[.suffix]`. What
// watches over a container is not in it.
std::string_view IdOfComponent(std::string_view component) {
  if (component.find("-conmon-") != std::string_view::npos) return {};
  component.remove_prefix(component.rfind(':') + 1);
  component = component.substr(0, component.find_first_of(". "));
  component.remove_prefix(component.rfind('-') + 1);
  return IsId(component) ? component : std::string_view();
}

std::string_view IdOfLine(std::string_view line) {
  const std::size_t root = line.find('/');
  if (root == std::string_view::npos) return {};
  line.remove_prefix(root);
  for (std::size_t slash = line.rfind('/'); slash != std::string_view::npos;
       slash = line.rfind('/')) {
    const std::string_view id = IdOfComponent(line.substr(slash + 1));
    if (!id.empty()) return id;
    line = line.substr(0, slash);
  }
  return {};
}

}  // namespace

std::string_view FindContainerId(std::string_view cgroup) {
  while (!cgroup.empty()) {
    const std::size_t end = std::min(cgroup.find('\n'), cgroup.size());
    const std::string_view id = IdOfLine(cgroup.substr(0, end));
    if (!id.empty()) return id;
    cgroup.remove_prefix(std::min(end + 1, cgroup.size()));
  }
  return {};
}

std::string_view CutContainerRuntime(std::string_view id) {
  for (const std::string_view prefix : {"docker://", "containerd://", "cri-o://"}) {
    if (id.starts_with(prefix)) return id.substr(prefix.size());
  }
  return {};
}

}  // namespace stoker::procfs
