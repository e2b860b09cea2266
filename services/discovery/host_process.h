#pragma once

#include <memory>
#include <string>
#include <vector>

#include "services/common/procfs/process.h"

namespace stoker::discovery {

// A process of this host with what other sources than /proc say of it.
struct HostProcess {
  procfs::Process process;
  // Of the real uid; empty where it has none.
  std::string username;
  bool operator==(const HostProcess&) const = default;
};

// Sorted by pid. A process that did not change keeps its pointer from one list to the next.
using HostProcesses = std::vector<std::shared_ptr<const HostProcess>>;
using HostProcessesPtr = std::shared_ptr<const HostProcesses>;

}  // namespace stoker::discovery
