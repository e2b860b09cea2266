#include "services/cli/configuration.h"

#include <set>
#include <utility>

#include "services/cli/lab_configuration.h"
#include "services/common/base/status.h"
#include "services/common/config/configuration.h"
#include "services/common/config/snapshot.h"

namespace stoker::cli {
namespace {

constexpr char kLabName[] = "lab.alloy";

}  // namespace

absl::StatusOr<CheckedConfiguration> CheckConfiguration(const std::string& path,
                                                        const config::Environment& environment,
                                                        bool check_values) {
  const config::SnapshotEnvironment lab(
      {.path = kLabName, .files = {{kLabName, kLabConfiguration}}, .folders = {}}, environment);
  const config::RecordingEnvironment recording(path.empty() ? lab : environment);
  const std::string& name = path.empty() ? lab.path() : path;
  STOKER_ASSIGN_OR_RETURN(
      const auto configuration,
      config::Configuration::Load(name, recording, {.check_values = check_values}));
  std::set<std::string> types;
  for (const std::string& id : configuration->ids()) types.emplace(configuration->Type(id));
  return CheckedConfiguration{.types = {types.begin(), types.end()},
                              .snapshot = config::SerializeSnapshot(recording.Take(name)),
                              .hash = configuration->hash(),
                              .warnings = configuration->warnings()};
}

}  // namespace stoker::cli
