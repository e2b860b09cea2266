#pragma once

#include <string_view>

#include <absl/time/time.h>

namespace stoker::store {

// Times of the legacy API (pyroscope.md 1.8): digits alone are YYYYMMDD (8), milliseconds (13),
// microseconds (16), nanoseconds (19), else seconds since 1970; anything else is `now`, with
// "-" or "+", a number and a unit (s, m/min, h, d, w, M/mon, y) after it. What is not understood is
// `now`.
absl::Time ParseAttime(std::string_view text, absl::Time now);

}  // namespace stoker::store
