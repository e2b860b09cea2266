#pragma once

#include <memory>

#include <absl/status/statusor.h>

#include "services/collector/ebpf/sampler.h"

namespace stoker::ebpf {

// Loads and attaches the programs of bpf/off_cpu.bpf.c. `threshold`: the most that a wait is
// sampled with, above 0 and at most 1. As Sampler::Start.
absl::StatusOr<std::unique_ptr<Sampler>> StartOffCpuSampler(double threshold,
                                                            walker::BpfMemory& memory);

}  // namespace stoker::ebpf
