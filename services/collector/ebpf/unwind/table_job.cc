#include "services/collector/ebpf/unwind/table_job.h"

#include <array>
#include <memory>

#include "services/collector/ebpf/unwind/elf_rows.h"
#include "services/collector/ebpf/unwind/table_builder.h"
#include "services/common/base/status.h"

namespace stoker::ebpf::unwind {

absl::StatusOr<std::string> TableJob(std::span<const int> fds, std::string_view) {
  if (fds.size() != 2) return InvalidArgument("{} files where two are needed", fds.size());
  STOKER_ASSIGN_OR_RETURN(const std::unique_ptr<elf::ByteSource> source, elf::OpenFdSource(fds[0]));
  STOKER_ASSIGN_OR_RETURN(const ElfRows rows, ReadElfRows(*source));
  if (rows.ranges.empty()) return NotFound("nothing in the file tells how to unwind it");
  STOKER_RETURN_IF_ERROR(WriteTable(BuildTable(rows), fds[1]));
  return std::string();
}

absl::Status MakeTableInSandbox(sandbox::Sandbox& sandbox, int elf_fd, int table_fd,
                                absl::Duration deadline) {
  const std::array<int, 2> fds = {elf_fd, table_fd};
  return sandbox.Run(kTableJob, fds, "", deadline).status();
}

}  // namespace stoker::ebpf::unwind
