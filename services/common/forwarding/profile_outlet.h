#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <absl/time/time.h>
#include <nlohmann/json.hpp>

#include "services/common/base/env.h"
#include "services/common/forwarding/forwarder_client.h"
#include "services/common/forwarding/profile_queue.h"
#include "services/common/forwarding/profile_spool.h"
#include "services/common/metrics/stage.h"
#include "services/common/runtime/core_thread.h"
#include "services/common/runtime/service.h"

namespace stoker::forwarding {

// What leads from a process that makes profiles to the forwarder: the queue, its spool and the
// stream. The queue is used on the process' thread only; the rest is for who owns the outlet.
class ProfileOutlet {
 public:
  struct Options {
    // As in the names of metrics: "scraper".
    std::string process;
    // As rpc::Dialer takes it; "" is the socket in the run folder.
    std::string forwarder;
    // On disk, in the data folder; 0: nothing goes there.
    std::uint64_t spool_bytes = std::uint64_t{256} << 20;
    absl::Duration spool_age = absl::Hours(24);
    // On the thread: a profile that was on disk is accepted.
    std::function<void(const std::string& producer, absl::Duration waited)> accepted;
  };

  // Borrows all. `thread` may be made after the outlet, and before Start.
  ProfileOutlet(Options options, runtime::Service& service, metrics::Stage& stage,
                runtime::CoreThread& thread);

  // Opens the stream.
  void Start();

  // Waits until the forwarder has what is in memory, at most `patience`; then ends the stream and
  // writes the rest to disk, for as long at most. Nothing may be added any more.
  void Drain(absl::Duration patience);

  // On the thread, as all of the queue.
  [[nodiscard]] ProfileQueue& queue() { return queue_; }
  [[nodiscard]] nlohmann::json State() const;

 private:
  std::unique_ptr<ProfileSpool> OpenSpool(const Options& options);

  runtime::Service& service_;
  metrics::Stage& stage_;
  runtime::CoreThread& thread_;
  SystemEnv env_;
  // Null: none.
  const std::unique_ptr<ProfileSpool> spool_;
  ForwarderClient client_;
  ProfileQueue queue_;
};

}  // namespace stoker::forwarding
