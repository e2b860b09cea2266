#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

namespace stoker::sandbox {

// Work on bytes that somebody else wrote. Runs in a worker process without capabilities: it can
// read and write the file descriptors it is given (pread, pwrite; never mmap: a file may be
// truncated while it is read), use memory and the clock, and nothing else. The descriptors are the
// worker's until the job returns. An error goes back to the caller as it is.
using Job =
    std::function<absl::StatusOr<std::string>(std::span<const int> fds, std::string_view request)>;

// What a worker can do, by name.
using Jobs = std::map<std::string, Job, std::less<>>;

}  // namespace stoker::sandbox
