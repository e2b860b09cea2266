#pragma once

#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "services/common/config/environment.h"

namespace stoker::cli {

// What the supervisor needs of a configuration: it is checked here once for all processes.
struct CheckedConfiguration {
  // Ids of all components.
  std::vector<std::string> components;
  // The text, of a folder the files one after another: what every process will read.
  std::string text;
  // Rendered diagnostics that refuse nothing.
  std::vector<std::string> warnings;
};

// `path` is a file or a folder of *.alloy files, read once. Errors are the diagnostics, with file,
// line, column and a window of the source.
absl::StatusOr<CheckedConfiguration> CheckConfiguration(const std::string& path,
                                                        const config::Environment& environment);

// The same of the configuration that `stoker lab` brings.
absl::StatusOr<CheckedConfiguration> CheckLabConfiguration(const config::Environment& environment);

}  // namespace stoker::cli
