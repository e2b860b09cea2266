#pragma once

#include <string>
#include <vector>

#include "services/common/config/components/relabel_rule.h"

namespace stoker::config {

// Arguments of pyroscope.relabel.
struct PyroscopeRelabel {
  std::vector<std::string> forward_to;
  std::vector<RelabelRule> rules;
  // Results kept, in label sets.
  int max_cache_size = 10000;
  bool operator==(const PyroscopeRelabel&) const = default;
};

}  // namespace stoker::config
