#pragma once

#include <string>
#include <vector>

#include <absl/status/statusor.h>

namespace stoker::cli {

// What the supervisor needs of a configuration: it is checked here once for all processes.
struct CheckedConfiguration {
  // Ids of all components.
  std::vector<std::string> components;
  // The text, of a folder the files one after another: what every process will read.
  std::string text;
};

// Errors are the diagnostics, with file, line and column.
absl::StatusOr<CheckedConfiguration> CheckConfiguration(const std::string& path);

// The same of the text that `stoker lab` brings.
absl::StatusOr<CheckedConfiguration> CheckLabConfiguration();

}  // namespace stoker::cli
