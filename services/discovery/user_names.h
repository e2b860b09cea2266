#pragma once

#include <map>
#include <string>

#include <absl/time/time.h>
#include <sys/types.h>

#include "services/common/base/clock.h"

namespace stoker::discovery {

// Names of users as the system's name service gives them. An answer, also that there is none, is
// kept for 10 minutes: a directory on the network is not asked for each process. Not thread-safe.
class UserNames {
 public:
  explicit UserNames(Clock& clock) : clock_(clock) {}

  // Empty for a uid without a name. May ask the network.
  const std::string& NameOf(uid_t uid);

 private:
  struct Answer {
    std::string name;
    absl::Duration until;
  };

  Clock& clock_;
  std::map<uid_t, Answer> answers_;
};

}  // namespace stoker::discovery
