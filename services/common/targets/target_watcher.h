#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include <absl/status/status.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include "proto/target/v1/target_service.grpc.pb.h"
#include "services/common/base/clock.h"
#include "services/common/base/random.h"
#include "services/common/model/target.h"
#include "services/common/rpc/dialer.h"
#include "services/common/targets/target_list.h"

namespace stoker::targets {

// Keeps the targets of one consumer by watching discovery's TargetService, and watches again
// whenever the stream ends (0.1 s to 1 s later), until destroyed. Thread-safe; the stream has a
// thread of its own.
class TargetWatcher {
 public:
  struct Options {
    // Of discovery's gRPC: "unix:/run/stoker/discovery.sock".
    std::string address;
    // The consumer and the argument whose list it wants.
    std::string component_id;
    std::string argument = "targets";
    // Not empty: only the targets of this node; else those of the cluster.
    std::string node_name;
    // How long a removed target stays: one collect_interval plus the refresh of discovery.
    absl::Duration linger = absl::ZeroDuration();
  };

  // Borrows all but the options. `on_change` is called on the watcher's thread after each change of
  // the list and each end of a stream. It must neither block nor destroy the watcher; it may run
  // before the constructor returns.
  TargetWatcher(Options options, rpc::Dialer& dialer, Clock& clock, Random& random,
                std::function<void()> on_change);
  ~TargetWatcher();
  TargetWatcher(const TargetWatcher&) = delete;
  TargetWatcher& operator=(const TargetWatcher&) = delete;

  // The list now: what discovery told last, and what lingers.
  [[nodiscard]] model::TargetVector Targets();

  // Of targets that are removed from now on.
  void SetLinger(absl::Duration linger);

  struct State {
    // The last stream's end; OK while one runs.
    absl::Status status;
    // True since discovery once said that the list is whole.
    bool synced = false;
    std::size_t targets = 0;
    // Streams begun.
    std::uint64_t streams = 0;
    // Targets that discovery sent and nobody can use: malformed, or past the list's bound.
    std::uint64_t refused = 0;
  };
  [[nodiscard]] State state() const;

 private:
  void Run();
  // Reads one stream to its end.
  absl::Status Watch(target::v1::TargetService::Stub& stub);
  void Apply(const target::v1::WatchResponse& response);
  [[nodiscard]] target::v1::WatchRequest Request() const;

  const Options options_;
  Clock& clock_;
  Random& random_;
  const std::function<void()> on_change_;
  const std::shared_ptr<grpc::Channel> channel_;

  mutable absl::Mutex mutex_;
  TargetList list_ ABSL_GUARDED_BY(mutex_);
  State state_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  // The running stream's, to end it.
  grpc::ClientContext* context_ ABSL_GUARDED_BY(mutex_) = nullptr;

  std::thread thread_;
};

}  // namespace stoker::targets
