#pragma once

#include <string>

#include <sys/types.h>

#include "services/cli/process_table.h"

namespace stoker::cli {

// Who the processes run as when `stoker run` is root: user stoker-<process> and group stoker where
// the machine has them (packages make them), else numbers reserved for us, so that nothing has to
// be installed. Each process has a uid of its own; the group is what they share.

// From systemd's range for dynamic users (61184 to 65519), at its upper end.
inline constexpr uid_t kFirstReservedUid = 65400;

uid_t UidOf(const ProcessSpec& process);
gid_t StokerGid();

}  // namespace stoker::cli
