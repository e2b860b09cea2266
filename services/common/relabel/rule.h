#pragma once

#include <memory>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <re2/re2.h>

#include "services/common/config/components/relabel_rule.h"
#include "services/common/model/label_editor.h"
#include "services/common/relabel/replacement.h"

namespace stoker::relabel {

// Checks a rule with Prometheus' messages (model/relabel, v3, legacy label names), but for its
// regular expression, which Rule::Compile checks.
absl::Status Validate(const config::RelabelRule& rule);

// The action of a lower-case name; INVALID_ARGUMENT `unrecognized action type "X"`.
absl::StatusOr<config::RelabelRule::Action> ParseAction(std::string_view name);
std::string_view ActionName(config::RelabelRule::Action action);

// One relabelling rule, compiled: Prometheus' semantics (model/relabel, v3) with legacy label
// names. Immutable, thread-safe.
class Rule {
 public:
  // INVALID_ARGUMENT names the field that is wrong.
  static absl::StatusOr<Rule> Compile(const config::RelabelRule& rule);

  // Changes `labels`; false when the rule drops them.
  [[nodiscard]] bool Apply(model::LabelEditor& labels) const;

 private:
  Rule(const config::RelabelRule& rule, std::unique_ptr<const RE2> regex);

  [[nodiscard]] std::string SourceValue(const model::LabelEditor& labels) const;
  // False: it cannot match.
  [[nodiscard]] bool InRange(std::string_view text) const;
  [[nodiscard]] bool Matches(std::string_view text) const;
  // Matches, with the groups for replacements; `groups` refer to `text`.
  [[nodiscard]] bool Match(std::string_view text, std::vector<std::string_view>& groups) const;

  void Replace(model::LabelEditor& labels) const;
  void Hashmod(model::LabelEditor& labels) const;
  void MapNames(model::LabelEditor& labels) const;
  void EraseNames(model::LabelEditor& labels, bool matching) const;

  config::RelabelRule rule_;
  std::unique_ptr<const RE2> regex_;
  // The default regular expression, `(.*)`, matches all and is not run.
  bool match_all_;
  // Texts outside [first_match_, last_match_] cannot match: most label names are refused so.
  bool has_range_ = false;
  std::string first_match_;
  std::string last_match_;
  Replacement target_;
  Replacement replacement_;
};

}  // namespace stoker::relabel
