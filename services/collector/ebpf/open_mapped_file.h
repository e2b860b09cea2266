#pragma once

#include <cstdint>

#include <absl/status/statusor.h>

#include "services/common/base/unique_fd.h"
#include "services/common/procfs/maps.h"

namespace stoker::ebpf {

// Opens the file that process `pid` has mapped: by /proc/PID/map_files, which also finds deleted
// files (CAP_CHECKPOINT_RESTORE), else by its path within the process' root. Regular files only;
// nothing but those is ever opened for reading. May block for as long as its file system likes.
absl::StatusOr<UniqueFd> OpenMappedFile(std::uint32_t pid,
                                        const procfs::ExecutableMapping& mapping);

// A copy of this process' own vdso, which is that of every 64-bit process.
absl::StatusOr<UniqueFd> OpenVdso();

}  // namespace stoker::ebpf
