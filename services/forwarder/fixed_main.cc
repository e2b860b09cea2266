// The forwarder with a configuration of lines `<component id> <url>`, for tests.

#include <fstream>
#include <string>

#include "services/common/base/status.h"
#include "services/forwarder/process.h"

namespace {

absl::StatusOr<stoker::forwarder::Settings> Load(const std::string& path) {
  stoker::forwarder::Settings settings;
  std::ifstream file(path);
  if (!file) return stoker::NotFound("{} is not there", path);
  for (std::string component, url; file >> component >> url;) {
    settings.writers[component].endpoints.push_back(
        {.url = url, .max_backoff_period = absl::Seconds(1)});
  }
  return settings;
}

}  // namespace

int main(int argc, char** argv) {
  return stoker::runtime::ServiceMain(
      argc, argv, stoker::forwarder::Info(), [](stoker::runtime::Service& service) {
        return stoker::forwarder::RunProcess(
            service, [path = service.options().config] { return Load(path); });
      });
}
