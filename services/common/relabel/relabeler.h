#pragma once

#include <optional>
#include <vector>

#include <absl/status/statusor.h>

#include "services/common/config/components/relabel_rule.h"
#include "services/common/model/labels.h"
#include "services/common/relabel/rule.h"

namespace stoker::relabel {

// Rules in their order. Immutable, thread-safe.
class Relabeler {
 public:
  // Without rules: keeps everything as it is.
  Relabeler() = default;

  // INVALID_ARGUMENT, "rule 2: …", counted from 1.
  static absl::StatusOr<Relabeler> Compile(const std::vector<config::RelabelRule>& rules);

  // Changes `labels`; false, and they stay as they were, at the first rule that drops them.
  [[nodiscard]] bool Apply(model::Labels& labels) const;

 private:
  explicit Relabeler(std::vector<Rule> rules) : rules_(std::move(rules)) {}

  std::vector<Rule> rules_;
};

}  // namespace stoker::relabel
