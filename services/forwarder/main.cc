#include <memory>

#include "services/common/base/status.h"
#include "services/common/config/configuration.h"
#include "services/common/config/environment.h"
#include "services/forwarder/load_settings.h"
#include "services/forwarder/process.h"

namespace {

absl::StatusOr<stoker::forwarder::Settings> Load(const std::string& path) {
  STOKER_ASSIGN_OR_RETURN(
      const std::shared_ptr<const stoker::config::Configuration> configuration,
      stoker::config::Configuration::Load(path, stoker::config::MachineEnvironment()));
  return stoker::forwarder::LoadSettings(*configuration);
}

}  // namespace

int main(int argc, char** argv) {
  return stoker::runtime::ServiceMain(
      argc, argv, stoker::forwarder::Info(), [](stoker::runtime::Service& service) {
        return stoker::forwarder::RunProcess(
            service, [path = service.options().config] { return Load(path); });
      });
}
