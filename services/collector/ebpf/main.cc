#include <cstdio>

#include "services/collector/ebpf/capabilities.h"
#include "services/collector/ebpf/kernel_symbols.h"
#include "services/collector/ebpf/process.h"
#include "services/common/sandbox/worker.h"

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
    return stoker::ebpf::RunProcess(service, kernel);
  };
  return stoker::runtime::ServiceMain(argc, argv, stoker::ebpf::Info(), run);
}
