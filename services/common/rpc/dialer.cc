#include "services/common/rpc/dialer.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

namespace stoker::rpc {
namespace {

// gRPC's default of up to 2 minutes would leave a restarted peer alone for too long.
constexpr int kMinReconnectMs = 100;
constexpr int kMaxReconnectMs = 1000;
// Messages of our contracts are at most 1 MiB, profiles at most 64 MiB.
constexpr int kMaxMessageBytes = 80 << 20;

}  // namespace

std::shared_ptr<grpc::Channel> SystemDialer::Dial(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kMinReconnectMs);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kMinReconnectMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kMaxReconnectMs);
  // Channels to one address do not share a connection: a slow stream delays no other.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  // A proxy of the environment is for the outside, never between our processes.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace stoker::rpc
