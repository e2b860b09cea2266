#pragma once

#include <cstddef>

#include <absl/status/status.h>

namespace stoker::sandbox {

// Gives up, for good, what the calling process does not need to compute on open descriptors: all
// capabilities, new privileges, dumps, memory past `memory_bytes`, files past `file_bytes`, new
// descriptors' paths, and every system call outside a short list. A forbidden call kills the
// process with SIGSYS; opening a path is refused with EACCES, since libraries try it unasked.
//
// Under AddressSanitizer and ThreadSanitizer memory stays unlimited (their shadow is terabytes of
// address space) and a forbidden call is refused with EPERM.
absl::Status Confine(std::size_t memory_bytes, std::size_t file_bytes);

}  // namespace stoker::sandbox
