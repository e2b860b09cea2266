#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "services/common/elf/byte_source.h"
#include "services/common/elf/inspection.pb.h"
#include "services/common/sandbox/sandbox.h"

namespace stoker::elf {

inline constexpr char kInspectJob[] = "elf.inspect";

// Reads the identity of an ELF file, the sections that naming its functions needs, and where it is
// loaded. INVALID_ARGUMENT says what is wrong with the file.
// `what` says whether the sections of debug information are needed as well.
enum class Needed : std::uint8_t { kSymbols, kDebugSections };
absl::StatusOr<Inspection> Inspect(const ByteSource& source, Needed what = Needed::kSymbols);

// The job that does so in a worker: fds[0] is the file; answers with a serialized Inspection. The
// request "debug" asks for the sections of debug information as well.
absl::StatusOr<std::string> InspectJob(std::span<const int> fds, std::string_view request);

// Runs the job in `sandbox`. Blocks up to the jobs before it and `deadline`.
absl::StatusOr<Inspection> InspectInSandbox(sandbox::Sandbox& sandbox, int fd,
                                            absl::Duration deadline,
                                            Needed what = Needed::kSymbols);

// The ELF virtual address of an instruction that a process has at `address`, in a mapping of the
// file that begins at `mapping_start` with the file's offset `mapping_offset` (/proc/PID/maps).
// Nothing when no segment is loaded from there.
std::optional<std::uint64_t> ElfAddress(const Inspection& inspection, std::uint64_t mapping_start,
                                        std::uint64_t mapping_offset, std::uint64_t address);

}  // namespace stoker::elf
