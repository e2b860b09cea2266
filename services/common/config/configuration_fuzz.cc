#include <cstddef>
#include <cstdint>
#include <string>

#include "services/common/config/components/discovery_relabel.h"
#include "services/common/config/configuration.h"
#include "services/common/config/fake_environment.h"

using namespace stoker::config;

// Any text: it is refused with diagnostics, or all that services ask of it is answered.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const FakeEnvironment environment;
  const auto parsed =
      Configuration::Parse("fuzz", std::string(reinterpret_cast<const char*>(data), size),
                           environment, {.skip_unknown = true, .check_values = true});
  if (!parsed.ok()) return 0;
  const Configuration& configuration = **parsed;
  const stoker::model::TargetVector targets = {std::make_shared<stoker::model::Target>()};
  const TargetLookup lookup = [&](const std::string&) -> const stoker::model::TargetVector& {
    return targets;
  };
  for (const std::string& id : configuration.ids()) {
    (void)configuration.Arguments<DiscoveryRelabel>(id);
    for (const std::string& argument : configuration.TargetArguments(id)) {
      (void)configuration.Targets(id, argument, lookup);
      (void)configuration.Dependencies(id, argument);
    }
  }
  return 0;
}
