#include "services/common/base/clock.h"

#include <absl/time/clock.h>
#include <time.h>

namespace stoker {

absl::Time SystemClock::Now() const { return absl::Now(); }

absl::Duration SystemClock::Monotonic() const {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return absl::DurationFromTimespec(now);
}

}  // namespace stoker
