#pragma once

#include <absl/status/status.h>

namespace stoker::ebpf {

// Gives up what a running collector does not need, CAP_SYSLOG included, in the calling thread and
// those it starts later; the process can gain nothing back. Called before the first thread.
absl::Status KeepNeededCapabilities();

}  // namespace stoker::ebpf
