#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "services/common/pprof/profile.h"

namespace stoker::pprof {

// What a foreign profile may hold.
struct ReadLimits {
  std::size_t max_bytes = 64 << 20;
  std::size_t max_samples = 1'000'000;
  // Longer stacks lose their leaf side, as Pyroscope does it.
  std::size_t max_depth = 1024;
  // Longer strings keep their tail, as Pyroscope does it.
  std::size_t max_symbol_bytes = 65'535;
  // Of each of mappings, functions, locations and strings.
  std::size_t max_entries = 4'000'000;
  // Of all stacks together.
  std::size_t max_stack_frames = 32'000'000;
};

// Reads a pprof message, bare or gzip, packed or not, in any order of fields; unknown fields are
// skipped. What a sample refers to but the profile lacks becomes Profile::kMissing.
//
// INVALID_ARGUMENT for a malformed profile, with Grafana Pyroscope's phrases; RESOURCE_EXHAUSTED
// past a limit. Never allocates more than a small multiple of max_bytes.
absl::StatusOr<Profile> Read(std::string_view bytes, const ReadLimits& limits = {});

// As above, of an inflated message, which becomes Profile::bytes.
absl::StatusOr<Profile> ReadInflated(std::string bytes, const ReadLimits& limits = {});

}  // namespace stoker::pprof
