#pragma once

#include <span>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "services/common/sandbox/sandbox.h"

namespace stoker::ebpf::unwind {

inline constexpr char kTableJob[] = "unwind.table";

// Memory that a worker needs for the largest tables that are made.
inline constexpr std::size_t kTableWorkerBytes = std::size_t{1} << 30;

// The job that makes an unwind table: fds[0] is the ELF file, fds[1] the empty file that becomes
// the table. The answer is empty; an error says why there is no table.
absl::StatusOr<std::string> TableJob(std::span<const int> fds, std::string_view request);

// Runs the job in `sandbox`. Blocks up to the jobs before it and `deadline`.
absl::Status MakeTableInSandbox(sandbox::Sandbox& sandbox, int elf_fd, int table_fd,
                                absl::Duration deadline);

}  // namespace stoker::ebpf::unwind
