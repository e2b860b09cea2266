#include "services/common/relabel/relabeler.h"

#include <algorithm>
#include <utility>

#include "services/common/base/status.h"

namespace stoker::relabel {

absl::StatusOr<Relabeler> Relabeler::Compile(const std::vector<config::RelabelRule>& rules) {
  std::vector<Rule> compiled;
  for (const config::RelabelRule& rule : rules) {
    absl::StatusOr<Rule> one = Rule::Compile(rule);
    if (!one.ok()) {
      return WithContext(one.status(), fmt::format("rule {}", compiled.size() + 1));
    }
    compiled.push_back(*std::move(one));
  }
  return Relabeler(std::move(compiled));
}

bool Relabeler::Apply(model::Labels& labels) const {
  model::LabelEditor editor(labels);
  const bool kept = std::all_of(rules_.begin(), rules_.end(),
                                [&editor](const Rule& rule) { return rule.Apply(editor); });
  if (kept && editor.changed()) labels = editor.Make();
  return kept;
}

}  // namespace stoker::relabel
