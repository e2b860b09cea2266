#include "services/cli/doctor/diagnose.h"

#include <algorithm>
#include <iterator>

#include "services/cli/doctor/host_checks.h"

namespace stoker::cli {

Checks Diagnose(const Host& host, const DiagnoseOptions& options,
                const std::optional<InstanceView>& view) {
  Checks checks = {
      CheckKernel(host),
      CheckBtf(host),
      CheckCapabilities(host),
      CheckLockdown(host),
      CheckRingBuffer(host),
      CheckPerfEventParanoid(host),
      CheckKptrRestrict(host),
      CheckMemlock(host),
      CheckCgroup(host),
      CheckDataDir(host, options.data_dir),
      CheckDisk(host, options.data_dir),
      CheckClock(host),
  };
  if (!options.config.empty()) checks.push_back(CheckConfigurationFile(host, options.config));
  // What runs has its ports, or says that it has not.
  for (const WantedPort& port :
       {WantedPort{12345, "stoker run", "--http.listen", true},
        WantedPort{4041, "the forwarder", "", true}, WantedPort{4042, "the symbolizer", "", true},
        WantedPort{4040, "the store", "--store.listen", false}}) {
    checks.push_back(CheckPort(host, port));
  }
  if (!view.has_value()) {
    checks.push_back(
        {"instance", Check::Level::kOk, "what runs", "no `stoker run` answers here", ""});
    return checks;
  }
  Checks running = CheckInstance(*view);
  std::ranges::move(running, std::back_inserter(checks));
  return checks;
}

}  // namespace stoker::cli
