// Rules made of any text: compiling refuses or applies, and never crashes; labels stay normal.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "services/common/relabel/relabeler.h"

using stoker::config::RelabelRule;
using stoker::model::Label;
using stoker::model::Labels;

// Lines: action, regex, target, replacement, separator, source name, value.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 4096) return 0;
  std::string lines[7];
  std::size_t line = 0;
  for (std::size_t i = 0; i < size; ++i) {
    if (data[i] == '\n' && line + 1 < std::size(lines)) {
      ++line;
    } else {
      lines[line] += static_cast<char>(data[i]);
    }
  }
  const auto action = stoker::relabel::ParseAction(lines[0]);
  RelabelRule rule;
  if (action.ok()) rule.action = *action;
  rule.regex = lines[1];
  rule.target_label = lines[2];
  rule.replacement = lines[3];
  rule.separator = lines[4];
  rule.source_labels = {lines[5], "b"};
  rule.modulus = size;
  const auto relabeler = stoker::relabel::Relabeler::Compile({rule, rule});
  Labels labels{{"b", "2"}, {lines[5].empty() ? "a" : lines[5], lines[6]}};
  if (!relabeler.ok() || !relabeler->Apply(labels)) return 0;
  if (labels != Labels(std::vector<Label>(labels.begin(), labels.end()))) std::abort();
  return 0;
}
