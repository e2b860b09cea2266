#pragma once

#include <cstdint>
#include <string>

#include <absl/status/status.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include "proto/profile/v1/profile.pb.h"
#include "services/common/pprof/merge.h"

namespace stoker::cli {

// The profiles of a recording, added up as they come; each sample keeps the name of its process
// (kProcessLabel). Thread-safe.
class Recording {
 public:
  // INVALID_ARGUMENT for what is no pprof, or has other types than the first.
  absl::Status Add(const profile::v1::Profile& profile);

  // Taken so far.
  [[nodiscard]] std::uint64_t samples() const;

  // The sum as pprof, bare; "" when nothing came. Used up by it.
  std::string Finish(absl::Time start, absl::Duration duration);

 private:
  mutable absl::Mutex mutex_;
  pprof::Merge merge_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t samples_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace stoker::cli
