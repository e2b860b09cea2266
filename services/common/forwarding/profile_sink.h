#pragma once

#include <memory>

#include "proto/profile/v1/profile.pb.h"

namespace stoker::forwarding {

// Takes profiles to the forwarder. Implementations take any number: the owner of the profiles holds
// them until they are answered anyway.
class ProfileSink {
 public:
  virtual ~ProfileSink() = default;
  virtual void Send(std::shared_ptr<const profile::v1::Profile> profile) = 0;
};

}  // namespace stoker::forwarding
