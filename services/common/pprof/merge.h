#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <absl/status/status.h>

#include "services/common/pprof/hash_index.h"
#include "services/common/pprof/profile.h"
#include "services/common/pprof/profile_builder.h"
#include "services/common/pprof/string_table.h"

namespace stoker::pprof {

// Adds profiles up: samples of equal stack and labels become one, their values summed. Sample types
// and period type must be those of the first profile; start is the earliest, duration the sum,
// period the largest; samples whose values are all 0 vanish, as google/pprof's Merge does it.
class Merge {
 public:
  // Adds `profile`, which may go afterwards; each of its samples gets `labels` beside its own.
  // INVALID_ARGUMENT, and nothing added, where its types differ.
  absl::Status Add(const Profile& profile, std::span<const ProfileBuilder::Label> labels = {});

  // Start and duration of the sum, in nanoseconds, in place of what the profiles say: those of
  // several targets cover the same time.
  void SetTime(std::int64_t time_nanos, std::int64_t duration_nanos) {
    time_ = {time_nanos, duration_nanos};
  }

  // The sum, bare. Used up by it. "" when nothing was added.
  std::string Finish() &&;

 private:
  struct Types {
    std::vector<std::pair<std::string, std::string>> samples;
    std::pair<std::string, std::string> period;
    bool operator==(const Types&) const = default;
  };
  static Types TypesOf(const Profile& profile);
  void AddHead(const Profile& profile);
  void AddLabelKey(const ProfileBuilder::Label& label);

  ProfileBuilder builder_;
  Types types_;
  bool empty_ = true;
  std::int64_t time_nanos_ = 0;
  std::int64_t duration_nanos_ = 0;
  std::int64_t period_ = 0;
  std::string default_sample_type_;
  // From SetTime: start and duration.
  std::optional<std::pair<std::int64_t, std::int64_t>> time_;

  // Sample n's key is keys_[starts_[n], starts_[n + 1]): depth, location ids, labels as numbers.
  std::vector<std::uint64_t> keys_;
  std::vector<std::size_t> starts_ = {0};
  std::vector<std::int64_t> values_;
  HashIndex index_;
  StringTable label_strings_;
};

}  // namespace stoker::pprof
