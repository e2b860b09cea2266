#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace stoker::config {

// A `rule` block of discovery.relabel and pyroscope.relabel, as Prometheus' relabelling has it.
struct RelabelRule {
  enum class Action {
    kReplace,
    kKeep,
    kDrop,
    kKeepEqual,
    kDropEqual,
    kHashmod,
    kLabelmap,
    kLabeldrop,
    kLabelkeep,
    kLowercase,
    kUppercase,
  };

  std::vector<std::string> source_labels;
  std::string separator = ";";
  // RE2, anchored at both ends when used.
  std::string regex = "(.*)";
  std::uint64_t modulus = 0;
  std::string target_label;
  std::string replacement = "$1";
  Action action = Action::kReplace;
  bool operator==(const RelabelRule&) const = default;
};

}  // namespace stoker::config
