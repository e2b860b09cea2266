#pragma once

#include "proto/profile/v1/profile_service.grpc.pb.h"
#include "services/forwarder/forwarder.h"

namespace stoker::forwarder {

// ProfileService over gRPC, in front of a Forwarder.
class ProfileServiceAdapter final : public profile::v1::ProfileService::CallbackService {
 public:
  // Borrows the forwarder, whose spool must be committed until every stream has ended.
  explicit ProfileServiceAdapter(Forwarder& forwarder) : forwarder_(forwarder) {}

  grpc::ServerBidiReactor<profile::v1::PushRequest, profile::v1::PushResponse>* Push(
      grpc::CallbackServerContext* context) override;

 private:
  Forwarder& forwarder_;
};

}  // namespace stoker::forwarder
