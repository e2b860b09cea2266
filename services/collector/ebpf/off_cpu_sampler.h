#pragma once

#include <memory>

#include <absl/status/statusor.h>

#include "services/collector/ebpf/sampler.h"

namespace stoker::ebpf {

// Loads and attaches the programs of bpf/off_cpu.bpf.c, of a kind that has a threshold. As
// Sampler::Start.
absl::StatusOr<std::unique_ptr<Sampler>> StartOffCpuSampler(const SamplerKind& kind,
                                                            walker::BpfMemory& memory);

}  // namespace stoker::ebpf
