#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

namespace stoker::scraper {

// What a body is, once it has proved to be a pprof profile.
struct CheckedProfile {
  // The message, gzip removed.
  std::string inflated;
  std::size_t samples = 0;
  // Unix time and length as the profile says them, in nanoseconds; 0 where it does not.
  std::int64_t time_nanos = 0;
  std::int64_t duration_nanos = 0;
};

// Tells a pprof profile, gzip or bare, from what else a server may answer with status 200.
// INVALID_ARGUMENT for nothing, text, HTML, JSON, cut gzip and other protobuf;
// RESOURCE_EXHAUSTED where it inflates past `max_bytes`, of which no more is ever held. The fields
// of the message are walked, not what they hold: receivers read every profile with care anyway.
absl::StatusOr<CheckedProfile> CheckProfile(std::string_view body, std::size_t max_bytes);

}  // namespace stoker::scraper
