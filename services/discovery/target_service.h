#pragma once

#include <grpcpp/support/server_callback.h>

#include "proto/target/v1/target_service.grpc.pb.h"
#include "services/discovery/discovery_loop.h"

namespace stoker::discovery {

// gRPC's face of DiscoveryLoop.
class TargetService final : public target::v1::TargetService::CallbackService {
 public:
  // Borrows `loop`, which must outlive the server.
  explicit TargetService(DiscoveryLoop& loop) : loop_(loop) {}

  grpc::ServerWriteReactor<target::v1::WatchResponse>* Watch(
      grpc::CallbackServerContext* context, const target::v1::WatchRequest* request) override;

 private:
  DiscoveryLoop& loop_;
};

}  // namespace stoker::discovery
