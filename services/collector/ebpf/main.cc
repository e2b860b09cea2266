#include <cstdio>
#include <memory>

#include "services/collector/ebpf/capabilities.h"
#include "services/collector/ebpf/kernel_symbols.h"
#include "services/collector/ebpf/load_settings.h"
#include "services/collector/ebpf/process.h"
#include "services/common/base/status.h"
#include "services/common/config/configuration.h"
#include "services/common/config/environment.h"
#include "services/common/sandbox/worker.h"

namespace {

absl::StatusOr<stoker::ebpf::Settings> Load(const std::string& path) {
  STOKER_ASSIGN_OR_RETURN(
      const std::shared_ptr<const stoker::config::Configuration> configuration,
      stoker::config::Configuration::Load(path, stoker::config::MachineEnvironment()));
  return stoker::ebpf::LoadSettings(*configuration);
}

}  // namespace

int main(int argc, char** argv) {
  if (stoker::sandbox::IsWorker(argc, argv)) {
    return stoker::sandbox::RunWorker(argv, stoker::ebpf::SandboxJobs());
  }
  // The only use of CAP_SYSLOG. Both before the first thread: the others inherit what is left.
  const auto kernel = stoker::ebpf::KernelSymbols::Load("");
  if (const absl::Status kept = stoker::ebpf::KeepNeededCapabilities(); !kept.ok()) {
    std::fprintf(stderr, "stoker-ebpf-collector: %s\n", kept.ToString().c_str());
    return 1;
  }
  const auto run = [&](stoker::runtime::Service& service) {
    const auto load = [path = service.options().config] { return Load(path); };
    return stoker::ebpf::RunProcess(service, load, kernel);
  };
  return stoker::runtime::ServiceMain(argc, argv, stoker::ebpf::Info(), run);
}
