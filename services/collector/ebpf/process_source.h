#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "services/common/procfs/maps.h"
#include "services/common/procfs/process.h"

namespace stoker::ebpf {

// What /proc says of a process. A test gives its own.
class ProcessSource {
 public:
  virtual ~ProcessSource() = default;

  struct Snapshot {
    std::uint64_t start_ticks = 0;
    std::string container_id;
    std::vector<procfs::ExecutableMapping> mappings;
  };
  // Nothing when the process is gone.
  virtual std::optional<Snapshot> Read(std::uint32_t pid) = 0;
};

// The machine's /proc. Mappings of others need CAP_SYS_PTRACE; without it there are none.
class SystemProcessSource final : public ProcessSource {
 public:
  std::optional<Snapshot> Read(std::uint32_t pid) override;

 private:
  const procfs::ProcessReader reader_;
};

}  // namespace stoker::ebpf
