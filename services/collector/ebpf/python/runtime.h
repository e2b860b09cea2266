#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "bpf/shared/python.h"
#include "services/collector/ebpf/python/layout.h"
#include "services/common/elf/byte_source.h"
#include "services/common/sandbox/sandbox.h"

namespace stoker::ebpf {

// CPython as a file has it: libpython, a program that it is a part of, or one that embeds it.
struct PythonRuntime {
  PythonCodeLayout code;
  // Addresses are ELF virtual addresses.
  stoker_python walk{};
};

inline constexpr char kPythonRuntimeJob[] = "python.runtime";

// The job that looks for CPython's runtime: fds[0] is an ELF file; answers with a serialized
// PythonRuntimeAnswer.
absl::StatusOr<std::string> PythonRuntimeJob(std::span<const int> fds, std::string_view request);

// Looks for CPython's runtime in an ELF file by the symbol `_PyRuntime`. Null: it has none.
// FAILED_PRECONDITION says why one that it has is not supported.
absl::StatusOr<std::shared_ptr<const PythonRuntime>> FindPythonRuntime(
    const elf::ByteSource& source);

// Runs the job in `sandbox`. Blocks up to the jobs before it and `deadline`.
absl::StatusOr<std::shared_ptr<const PythonRuntime>> FindPythonRuntimeInSandbox(
    sandbox::Sandbox& sandbox, int fd, absl::Duration deadline);

}  // namespace stoker::ebpf
