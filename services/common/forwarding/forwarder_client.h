#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include "proto/profile/v1/profile_service.grpc.pb.h"
#include "services/common/base/random.h"
#include "services/common/forwarding/profile_sink.h"
#include "services/common/rpc/dialer.h"

namespace stoker::forwarding {

// The stream to the forwarder: opened again, after a delay, whenever it ends.
class ForwarderClient final : public ProfileSink {
 public:
  // Called on gRPC's threads or the client's own, in the order of what happened.
  struct Events {
    std::function<void()> connected;
    std::function<void()> lost;
    std::function<void(profile::v1::PushResponse)> answers;
  };

  ForwarderClient(rpc::Dialer& dialer, const std::string& address, Random& random);
  ~ForwarderClient() override;

  // Opens the first stream.
  void Start(Events events);
  // Ends the stream. No event follows.
  void Stop();

  // Queues the profile for the stream that stands; without one it is let go: its owner sends it
  // again once connected.
  void Send(std::shared_ptr<const profile::v1::Profile> profile) override;

 private:
  class Stream;
  // False when the client is stopping.
  bool AwaitConnection();
  void Run();

  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<profile::v1::ProfileService::Stub> stub_;
  Random& random_;
  Events events_;

  absl::Mutex mutex_;
  // The stream that takes profiles; the one of Run().
  Stream* stream_ ABSL_GUARDED_BY(mutex_) = nullptr;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace stoker::forwarding
