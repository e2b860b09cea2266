#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>

namespace stoker::cli {

// Of `wanted` (names as capability(7) writes them: "cap_bpf"), those that a process with the text
// of /proc/PID/status does not hold.
std::vector<std::string> MissingCapabilities(std::string_view proc_status,
                                             std::span<const std::string_view> wanted);

// Whether this process can start the ebpf collector. PERMISSION_DENIED names what is missing and
// what to type.
absl::Status CheckCollectorCapabilities();

}  // namespace stoker::cli
