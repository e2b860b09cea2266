#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "services/collector/ebpf/python/layout.h"
#include "services/collector/ebpf/python/python_code.pb.h"

namespace stoker::ebpf {

// A job of the sandbox: fds[0] is /proc/PID/mem, the request a serialized PythonCodeRequest, the
// answer a serialized PythonCodes. A process may make reading its memory block (userfaultfd, a file
// system that does not answer): the job's time is to be limited.
inline constexpr char kPythonCodeJob[] = "python_code";
absl::StatusOr<std::string> PythonCodeJob(std::span<const int> fds, std::string_view request);

// Code objects that are read at a time.
inline constexpr std::size_t kMaxCodes = 256;

// Says in `request` where the parts of its code objects are.
void FillRequest(const PythonCodeLayout& layout, PythonCodeRequest& request);

// Reads up to `size` bytes at an address; how many there were.
using ReadMemory = std::function<std::size_t(std::uint64_t address, char* into, std::size_t size)>;

// The request's code objects. What memory holds may be anything, and change while it is read:
// an object counts as found when it begins at the line it should, has a name and a file, and is
// still the same after all was read.
PythonCodes ReadPythonCodes(const PythonCodeRequest& request, const ReadMemory& memory);

}  // namespace stoker::ebpf
