#pragma once

#include <absl/status/statusor.h>

#include "services/collector/ebpf/kernel_symbols.h"
#include "services/common/runtime/service.h"
#include "services/common/sandbox/job.h"

namespace stoker::ebpf {

// What the process is called and listens on.
runtime::ServiceInfo Info();

// What its sandbox workers can do.
sandbox::Jobs SandboxJobs();

// Runs the collector in `service` until it is told to stop; then sends what the last intervals
// counted. An error says what the kernel or the process lacks. `kernel` may be an error: kernel
// frames then stay without names.
absl::Status RunProcess(runtime::Service& service, const absl::StatusOr<KernelSymbols>& kernel);

}  // namespace stoker::ebpf
