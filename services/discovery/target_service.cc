#include "services/discovery/target_service.h"

#include <memory>

#include "services/common/base/status.h"
#include "services/common/rpc/status.h"
#include "services/common/wire/target.h"

namespace stoker::discovery {
namespace {

using target::v1::Scope;
using target::v1::WatchRequest;
using target::v1::WatchResponse;

absl::Status Check(const WatchRequest& request) {
  const Scope& scope = request.scope();
  if (scope.kind() == Scope::KIND_NODE && scope.node_name().empty()) {
    return InvalidArgument("a scope of one node needs its node_name");
  }
  if (scope.kind() != Scope::KIND_NODE && scope.kind() != Scope::KIND_CLUSTER) {
    return InvalidArgument("the scope must be one node or the cluster");
  }
  return absl::OkStatus();
}

WatchResponse ToProto(const TargetChange& change) {
  WatchResponse response;
  for (const auto& [id, target] : change.upsert) {
    target::v1::Target& proto = *response.add_upsert();
    proto = wire::ToProto(*target);
    proto.set_id(id.view().data(), id.size());
  }
  for (const model::Text& id : change.remove) response.add_remove(id.view().data(), id.size());
  response.set_synced(change.synced);
  return response;
}

// A stream. gRPC's callbacks go to the loop, which owns it.
class WatchReactor final : public grpc::ServerWriteReactor<WatchResponse>, public StreamSink {
 public:
  explicit WatchReactor(DiscoveryLoop& loop) : loop_(loop) {}

  void Send(const TargetChange& change) override {
    response_ = ToProto(change);
    StartWrite(&response_);
  }
  void End(const absl::Status& status) override { Finish(rpc::ToGrpc(status)); }

  // A write fails when the consumer is gone: OnCancel says so too.
  void OnWriteDone(bool) override { loop_.Sent(this); }
  void OnCancel() override { loop_.Cancelled(this); }
  void OnDone() override { loop_.Closed(this); }

 private:
  DiscoveryLoop& loop_;
  WatchResponse response_;
};

class RefusingReactor final : public grpc::ServerWriteReactor<WatchResponse> {
 public:
  explicit RefusingReactor(const absl::Status& status) { Finish(rpc::ToGrpc(status)); }
  void OnDone() override { delete this; }
};

}  // namespace

grpc::ServerWriteReactor<WatchResponse>* TargetService::Watch(grpc::CallbackServerContext*,
                                                              const WatchRequest* request) {
  if (const absl::Status status = Check(*request); !status.ok()) return new RefusingReactor(status);
  auto reactor = std::make_unique<WatchReactor>(loop_);
  WatchReactor* const stream = reactor.get();
  loop_.Open(std::move(reactor), {request->component_id(), request->argument()},
             {request->scope().node_name()});
  return stream;
}

}  // namespace stoker::discovery
