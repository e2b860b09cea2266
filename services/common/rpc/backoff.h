#pragma once

#include <absl/time/time.h>

#include "services/common/base/random.h"

namespace stoker::rpc {

// Delays between attempts: before retry i uniform in [d, 2d) with d = min · 2^(i-1), both ends
// capped at max. Source: grafana/dskit's backoff, which Alloy's pyroscope.write uses.
class Backoff {
 public:
  Backoff(absl::Duration min, absl::Duration max, Random& random)
      : min_(min), max_(max), random_(random) {}

  // The delay before the next retry.
  absl::Duration Next();
  // Delays handed out since the last Reset.
  [[nodiscard]] int retries() const { return retries_; }
  void Reset() { retries_ = 0; }

 private:
  const absl::Duration min_;
  const absl::Duration max_;
  Random& random_;
  int retries_ = 0;
};

}  // namespace stoker::rpc
