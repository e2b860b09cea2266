#include "services/common/config/components/relabel_rule.h"

#include "services/common/base/status.h"
#include "services/common/config/components/schemas.h"
#include "services/common/relabel/rule.h"

namespace stoker::config {

const Schema& RelabelRuleSchema() {
  static const Schema* const schema =
      SchemaBuilder<RelabelRule>()
          .Optional("source_labels", &RelabelRule::source_labels,
                    "Labels whose values are selected, joined by the separator.")
          .Optional("separator", &RelabelRule::separator,
                    "What stands between the values of the source labels.")
          .Optional("regex", &RelabelRule::regex,
                    "RE2 expression, anchored at both ends, with matching groups.")
          .Optional("modulus", &RelabelRule::modulus, "Modulus of the hash of the value.")
          .Optional("target_label", &RelabelRule::target_label, "Label the result is written to.")
          .Optional("replacement", &RelabelRule::replacement,
                    "Value of the result; groups of the expression are available.")
          .Custom(
              "action", "string", "\"replace\"",
              [](const Value& value, RelabelRule& rule) -> std::optional<Mismatch> {
                std::string name;
                if (auto mismatch = ConvertTo(value, name)) return mismatch;
                if (name.empty()) return Mismatch("relabel action cannot be empty");
                const auto action = relabel::ParseAction(name);
                if (!action.ok()) return Mismatch(std::string(Message(action.status())));
                rule.action = *action;
                return std::nullopt;
              },
              "What the rule does: replace, keep, drop, keepequal, dropequal, hashmod, labelmap, "
              "labeldrop, labelkeep, lowercase or uppercase.")
          .Validate([](const RelabelRule& rule) {
            // Compiling checks the regular expression too.
            return relabel::Rule::Compile(rule).status();
          })
          .Build();
  return *schema;
}

}  // namespace stoker::config
