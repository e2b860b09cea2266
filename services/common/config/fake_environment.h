#pragma once

#include <map>
#include <string>
#include <vector>

#include "services/common/base/status.h"
#include "services/common/config/environment.h"

namespace stoker::config {

// A machine made of maps, for tests. Folders are prefixes of file names.
class FakeEnvironment final : public Environment {
 public:
  [[nodiscard]] std::string Variable(const std::string& name) const override {
    const auto it = variables.find(name);
    return it == variables.end() ? "" : it->second;
  }
  [[nodiscard]] std::string Hostname() const override { return "node-1"; }
  [[nodiscard]] absl::StatusOr<std::string> ReadFile(const std::string& path,
                                                     std::size_t max_bytes) const override {
    const auto it = files.find(path);
    if (it == files.end()) return NotFound("{}: no such file", path);
    if (it->second.size() > max_bytes) return ResourceExhausted("{}: too large", path);
    return it->second;
  }
  [[nodiscard]] absl::StatusOr<std::vector<std::string>> ListFolder(
      const std::string& folder) const override {
    std::vector<std::string> paths;
    for (const auto& [path, text] : files) {
      if (path.starts_with(folder + "/")) paths.push_back(path);
    }
    if (paths.empty()) return NotFound("{}: not a folder", folder);
    return paths;
  }

  std::map<std::string, std::string> variables;
  std::map<std::string, std::string> files;
};

}  // namespace stoker::config
