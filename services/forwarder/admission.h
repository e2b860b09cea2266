#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include "proto/profile/v1/profile.pb.h"
#include "services/common/base/clock.h"

namespace stoker::forwarder {

// Decides what is let in: checks a profile and finds its receivers. Thread-safe.
class Admission {
 public:
  explicit Admission(const Clock& clock) : clock_(clock) {}

  // `receivers`: the ids of the components that are there. `defaults`: of profiles that name none.
  void SetReceivers(std::set<std::string> receivers, std::vector<std::string> defaults);

  struct Verdict {
    enum class Kind { kAccept, kReject, kLater };
    Kind kind = Kind::kAccept;
    // Of a refusal: a word of a closed set, and a text for people.
    std::string reason;
    std::string message;
    // Receivers that the profile named and that do not exist, when it is accepted for others.
    std::vector<std::string> missing;
  };
  // On kAccept the profile's receivers are those that will get it. A receiver that is not there
  // makes the sender wait (kLater) for 30 s after it was first named, as the configuration of two
  // processes is never reloaded in one instant.
  Verdict Check(profile::v1::Profile& profile);

 private:
  Verdict FindReceivers(profile::v1::Profile& profile) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Verdict UseDefaults(profile::v1::Profile& profile) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsNew(const std::string& receiver) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Clock& clock_;
  absl::Mutex mutex_;
  std::set<std::string> receivers_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> defaults_ ABSL_GUARDED_BY(mutex_);
  // Receivers that do not exist: when each was first named.
  std::map<std::string, absl::Duration> unknown_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace stoker::forwarder
