#include "services/common/config/components/discovery_relabel.h"

#include "services/common/config/components/schemas.h"

namespace stoker::config {

const Schema& DiscoveryRelabelSchema() {
  static const Schema* const schema =
      SchemaBuilder<DiscoveryRelabel>()
          .Targets("targets", true, "Targets to relabel.")
          .Blocks("rule", &DiscoveryRelabel::rules, RelabelRuleSchema(),
                  "Relabeling rules, applied in order.")
          .Build();
  return *schema;
}

}  // namespace stoker::config
