#pragma once

#include <string>

#include <absl/time/time.h>

namespace stoker::config {

// Arguments of local.file.
struct LocalFile {
  enum class Detector { kFsnotify, kPoll };

  std::string filename;
  Detector detector = Detector::kFsnotify;
  absl::Duration poll_frequency = absl::Minutes(1);
  // The content is never printed.
  bool is_secret = false;
  bool operator==(const LocalFile&) const = default;
};

}  // namespace stoker::config
