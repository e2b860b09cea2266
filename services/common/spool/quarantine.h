#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <utility>

#include <absl/synchronization/mutex.h>

#include "services/common/base/env.h"

namespace stoker::spool {

// Keeps copies of damaged bytes in <folder>/quarantine, a file a range, up to 64 MiB in all, for
// whoever wants to know what happened. Thread-safe.
class Quarantine {
 public:
  Quarantine(Env& env, const std::string& folder);

  // Copies bytes [begin, end) of segment `number`. False when that range came before.
  bool Copy(File& file, std::uint64_t number, std::uint64_t begin, std::uint64_t end);
  // Moves a whole file that holds no sound record.
  absl::Status Move(const std::string& path, const std::string& name);

 private:
  void Write(File& file, const std::string& path, std::uint64_t begin, std::uint64_t size);

  Env& env_;
  const std::string folder_;
  absl::Mutex mutex_;
  // Segment and place of the ranges seen.
  std::set<std::pair<std::uint64_t, std::uint64_t>> seen_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t room_ ABSL_GUARDED_BY(mutex_) = 64 << 20;
};

}  // namespace stoker::spool
