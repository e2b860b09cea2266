#include "services/common/config/components/pyroscope_relabel.h"

#include "services/common/base/status.h"
#include "services/common/config/components/schemas.h"

namespace stoker::config {

const Schema& PyroscopeRelabelSchema() {
  static const Schema* const schema =
      SchemaBuilder<PyroscopeRelabel>()
          .Receivers("forward_to", &PyroscopeRelabel::forward_to, true,
                     "List of receivers to send relabeled profiles to.")
          .Optional("max_cache_size", &PyroscopeRelabel::max_cache_size,
                    "Maximum number of entries in the relabeling cache.")
          .Blocks("rule", &PyroscopeRelabel::rules, RelabelRuleSchema(),
                  "Relabeling rules, applied in order.")
          .Validate([](const PyroscopeRelabel& relabel) {
            if (relabel.max_cache_size > 0) return absl::OkStatus();
            return InvalidArgument("max_cache_size must be greater than 0");
          })
          .Build();
  return *schema;
}

}  // namespace stoker::config
