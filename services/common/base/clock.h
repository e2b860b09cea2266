#pragma once

#include <absl/time/time.h>

namespace stoker {

// Time as the pipeline sees it; a test drives it by hand. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;

  // Wall time: may jump. For what leaves the process.
  [[nodiscard]] virtual absl::Time Now() const = 0;

  // Time since an arbitrary start: never goes back. For durations, deadlines and backoff.
  [[nodiscard]] virtual absl::Duration Monotonic() const = 0;
};

// The machine's clocks. CLOCK_BOOTTIME: it counts through suspension.
class SystemClock final : public Clock {
 public:
  [[nodiscard]] absl::Time Now() const override;
  [[nodiscard]] absl::Duration Monotonic() const override;
};

}  // namespace stoker
