#pragma once

#include <set>
#include <string>

#include <absl/synchronization/mutex.h>

#include "proto/profile/v1/profile_service.grpc.pb.h"
#include "services/cli/record/recording.h"

namespace stoker::cli {

// ProfileService in the forwarder's place: what comes goes into a recording. A profile that comes
// again under its id is taken once.
class ProfileReceiver final : public profile::v1::ProfileService::CallbackService {
 public:
  // Borrows the recording until every stream has ended.
  explicit ProfileReceiver(Recording& recording) : recording_(recording) {}

  grpc::ServerBidiReactor<profile::v1::PushRequest, profile::v1::PushResponse>* Push(
      grpc::CallbackServerContext* context) override;

  // The answer to one profile.
  profile::v1::Answer Take(const profile::v1::Profile& profile);

 private:
  Recording& recording_;
  absl::Mutex mutex_;
  std::set<std::string> taken_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace stoker::cli
