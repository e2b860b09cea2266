#include "services/cli/doctor/diagnose.h"

#include <algorithm>
#include <iterator>

#include "services/cli/doctor/host_checks.h"

namespace stoker::cli {

namespace {

// Whether a collector runs: then what this command may do says nothing of what it may.
bool CollectorRuns(const std::optional<InstanceView>& view) {
  if (!view.has_value() || !view->state.is_object()) return false;
  const auto processes = view->state.find("processes");
  if (processes == view->state.end() || !processes->is_array()) return false;
  const nlohmann::json name = "ebpf-collector";
  const nlohmann::json ready = "ready";
  return std::ranges::any_of(*processes, [&](const nlohmann::json& process) {
    return process.is_object() && process.contains("name") && process["name"] == name &&
           process.contains("state") && process["state"] == ready;
  });
}

// A check of this command's own rights, beside a collector that has them.
void Excuse(Check& check) {
  if (check.level == Check::Level::kOk) return;
  check.level = Check::Level::kOk;
  check.title += " here, unlike the collector that runs";
  check.remedy.clear();
}

}  // namespace

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
  if (CollectorRuns(view)) {
    for (Check& check : checks) {
      if (check.id == "capabilities" || check.id == "ring_buffer" ||
          check.id == "perf_event_paranoid" || check.id == "syslog") {
        Excuse(check);
      }
    }
  }
  if (!options.config.empty()) checks.push_back(CheckConfigurationFile(host, options.config));
  // What runs has its ports, or says that it has not.
  for (const WantedPort& port :
       {WantedPort{12345, "stoker run", "--http.listen", true},
        WantedPort{4041, "the forwarder", "", true}, WantedPort{4042, "the symbolizer", "", true},
        WantedPort{4040, "the store", "--store.listen", false}}) {
    checks.push_back(CheckPort(host, port, view.has_value()));
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
