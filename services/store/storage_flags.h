#pragma once

#include <vector>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "services/common/runtime/command_line.h"
#include "services/store/storage.h"

namespace stoker::store {

// The command line's settings of a storage: retention and the size of the head.
std::vector<runtime::ServiceInfo::Flag> StorageFlags();

// INVALID_ARGUMENT names the flag.
absl::StatusOr<StorageOptions> ReadStorageFlags(const runtime::Options& options);

// How long maintenance rests between two runs.
absl::StatusOr<absl::Duration> ReadMaintenanceInterval(const runtime::Options& options);

}  // namespace stoker::store
