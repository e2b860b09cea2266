#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "services/collector/ebpf/python/runtime.h"
#include "services/common/base/unique_fd.h"
#include "services/common/elf/inspection.pb.h"
#include "services/common/procfs/maps.h"

namespace stoker::ebpf {

// The file behind a mapping, as it was found once. Immutable.
struct Binary {
  // Valid for as long as symbols may be asked of it; none where it could not be read.
  UniqueFd fd;
  elf::Inspection inspection;
  // Where its separate debug file is looked for: the root folder of a process that has it, and the
  // path there. Null of what is no file of a process.
  std::shared_ptr<const UniqueFd> root;
  std::string path;
  // CPython, when the file has it and its stacks can be told.
  std::shared_ptr<const PythonRuntime> python;
  // Why it could not be read; empty when it was.
  std::string unreadable_reason;
};
using BinaryPtr = std::shared_ptr<const Binary>;

// Finds the binaries behind mappings, elsewhere: files are slow and may be hostile.
class BinaryInspector {
 public:
  virtual ~BinaryInspector() = default;

  // Asks for the binary that process `pid` has at `mapping`. The answer comes with `ticket`.
  virtual void Request(std::uint64_t ticket, std::uint32_t pid,
                       const procfs::ExecutableMapping& mapping) = 0;

  struct Answer {
    std::uint64_t ticket = 0;
    BinaryPtr binary;
  };
  // What has been found since the last call.
  virtual std::vector<Answer> TakeAnswers() = 0;
};

}  // namespace stoker::ebpf
