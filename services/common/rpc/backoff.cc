#include "services/common/rpc/backoff.h"

#include <algorithm>

namespace stoker::rpc {

absl::Duration Backoff::Next() {
  // 2^30 is past any cap; the exponent stops growing there.
  const double factor = static_cast<double>(1ULL << std::min(retries_++, 30));
  const absl::Duration low = std::min(min_ * factor, max_);
  const absl::Duration high = std::min(min_ * factor * 2, max_);
  return low + (high - low) * random_.NextDouble();
}

}  // namespace stoker::rpc
