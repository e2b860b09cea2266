#pragma once

#include <absl/status/status.h>

namespace stoker::ebpf {

// Gives up what this process does not need, in the calling thread and those it starts later; the
// process can gain nothing back. Called first thing.
absl::Status KeepNeededCapabilities();

// Gives up what only the start needs: CAP_SYSLOG. As above.
absl::Status DropStartCapabilities();

}  // namespace stoker::ebpf
