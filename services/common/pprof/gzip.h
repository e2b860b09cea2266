#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

namespace stoker::pprof {

// Whether `bytes` begin as gzip does (RFC 1952, 2.3.1); everything else is taken as bare pprof.
[[nodiscard]] bool IsGzip(std::string_view bytes);

// One gzip member. Level 1 is the fastest, and within a tenth of the size of level 6 on profiles.
[[nodiscard]] std::string Gzip(std::string_view bytes, int level = 1);

// The content of one or several gzip members, at most `max_bytes`: never more than that is
// allocated. RESOURCE_EXHAUSTED past it, INVALID_ARGUMENT for damaged input.
absl::StatusOr<std::string> Gunzip(std::string_view bytes, std::size_t max_bytes);

}  // namespace stoker::pprof
