#pragma once

#include <vector>

#include "services/common/config/components/relabel_rule.h"

namespace stoker::config {

// Arguments of discovery.relabel without `targets`.
struct DiscoveryRelabel {
  std::vector<RelabelRule> rules;
  bool operator==(const DiscoveryRelabel&) const = default;
};

}  // namespace stoker::config
