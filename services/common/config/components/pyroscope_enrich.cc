#include "services/common/config/components/pyroscope_enrich.h"

#include "services/common/config/components/schemas.h"

namespace stoker::config {

const Schema& PyroscopeEnrichSchema() {
  using Config = PyroscopeEnrich;
  static const Schema* const schema =
      SchemaBuilder<Config>()
          .Targets("targets", true, "List of targets whose labels profiles are given.")
          .Receivers("forward_to", &Config::forward_to, true,
                     "List of receivers to send enriched profiles to.")
          .Required("target_match_label", &Config::target_match_label,
                    "The label of targets to match by.")
          .Optional("profiles_match_label", &Config::profiles_match_label,
                    "The label of profiles to match by; target_match_label when empty.")
          .Optional("labels_to_copy", &Config::labels_to_copy,
                    "Labels to copy from the target; all when empty.")
          .Build();
  return *schema;
}

}  // namespace stoker::config
