#pragma once

#include <string>

#include <absl/status/status.h>

namespace stoker::cli {

// Whether a file of that path can be written, said before the work rather than after it.
absl::Status CheckOutputFile(const std::string& path);

// Replaces the file in one step; "-" is standard output. Under sudo the file is its caller's.
absl::Status WriteOutputFile(const std::string& path, const std::string& content);

}  // namespace stoker::cli
