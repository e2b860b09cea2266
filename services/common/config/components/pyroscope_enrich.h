#pragma once

#include <string>
#include <vector>

namespace stoker::config {

// Arguments of pyroscope.enrich without `targets`.
struct PyroscopeEnrich {
  std::vector<std::string> forward_to;
  // The label of targets that profiles are matched by.
  std::string target_match_label;
  // The same of profiles; "" is target_match_label.
  std::string profiles_match_label;
  // Empty: all labels of the target.
  std::vector<std::string> labels_to_copy;
  bool operator==(const PyroscopeEnrich&) const = default;
};

}  // namespace stoker::config
