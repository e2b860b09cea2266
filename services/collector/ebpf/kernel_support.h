#pragma once

#include <string_view>

#include <absl/status/status.h>

namespace stoker::ebpf {

// Whether this kernel and this process' capabilities can run the sampler. The error says in one
// sentence what is missing and how to mend it.
absl::Status CheckKernelSupport();

// Whether `release`, as uname gives it, is 5.15 or later: the first kernel with bpf_task_pt_regs.
absl::Status CheckKernelRelease(std::string_view release);

}  // namespace stoker::ebpf
