#pragma once

#include <string>
#include <vector>

#include <absl/status/statusor.h>

namespace stoker::config {

// What a configuration may ask of the machine it is loaded on. Thread-safe.
class Environment {
 public:
  virtual ~Environment() = default;

  // An environment variable, "" when it is not set.
  [[nodiscard]] virtual std::string Variable(const std::string& name) const = 0;
  // "" when it is not known.
  [[nodiscard]] virtual std::string Hostname() const = 0;
  // The whole of a regular file. RESOURCE_EXHAUSTED above `max_bytes`.
  [[nodiscard]] virtual absl::StatusOr<std::string> ReadFile(const std::string& path,
                                                             std::size_t max_bytes) const = 0;
  // The paths of the *.alloy files right under `folder`, sorted; NOT_FOUND when `folder` is none.
  [[nodiscard]] virtual absl::StatusOr<std::vector<std::string>> ListFolder(
      const std::string& folder) const = 0;
};

// The machine itself. Lives as long as the process.
const Environment& MachineEnvironment();

}  // namespace stoker::config
