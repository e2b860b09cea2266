#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "proto/profile/v1/profile.pb.h"
#include "services/common/base/clock.h"
#include "services/common/base/env.h"
#include "services/common/metrics/registry.h"
#include "services/common/metrics/stage.h"
#include "services/common/spool/committer.h"
#include "services/common/spool/spool.h"

namespace stoker::forwarding {

// Profiles on disk that the forwarder has not accepted: a small spool of the process that made
// them. They stay over a restart, under their ids. Bounded by bytes and age; the oldest go and are
// counted as `spool_full` and `spool_age`. Its thread writes and syncs. Put and the rest are for
// one thread.
class ProfileSpool {
 public:
  struct Options {
    // Made if need be; of one process at a time.
    std::string folder;
    std::uint64_t max_bytes = std::uint64_t{256} << 20;
    absl::Duration max_age = absl::Hours(24);
    // Names it in stoker_spool_* metrics.
    std::string name;
  };

  // Samples found from an earlier life enter `stage`. UNAVAILABLE when another process has the
  // folder; other errors are the file system's. Borrows the others.
  static absl::StatusOr<std::unique_ptr<ProfileSpool>> Open(const Options& options, Env& env,
                                                            Clock& clock,
                                                            metrics::Registry& registry,
                                                            metrics::Stage& stage);

  // Takes a copy. `done` is called with OK once it is on disk: its samples then are no longer the
  // owner's (Released). Else it is not taken: RESOURCE_EXHAUSTED when the disk is full or too slow,
  // else what it said. Called on another thread, or before Put returns.
  void Put(const profile::v1::Profile& profile, std::function<void(absl::Status)> done);

  struct Taken {
    std::uint64_t sequence = 0;
    std::shared_ptr<const profile::v1::Profile> profile;
    // When it was put there.
    absl::Time time;
  };
  // The next ones, oldest first, each once in a life of the process: until `max_bytes` are reached.
  std::vector<Taken> Take(std::size_t max_bytes);
  // The forwarder has it.
  void Done(std::uint64_t sequence);
  // Nobody will have it; counted as `reason`.
  void Lost(std::uint64_t sequence, std::string_view reason);

  // Samples that the owner holds in memory, and has not put here. Thread-safe.
  void Held(std::uint64_t samples) { held_ += samples; }
  void Released(std::uint64_t samples) { held_ -= samples; }
  // Compares what is held, in memory and here, with what the stage has counted.
  void Audit();

  [[nodiscard]] spool::Spool::State state() const { return spool_->state(); }

 private:
  explicit ProfileSpool(metrics::Stage& stage) : stage_(stage) {}
  spool::Events MakeEvents();

  metrics::Stage& stage_;
  // In memory; what is written moves over with the spool's lock held.
  std::atomic<std::uint64_t> held_ = 0;
  // Only Open sets it, before there is a second thread.
  bool open_ = false;
  std::atomic<bool> readable_ = true;
  std::unique_ptr<spool::Spool> spool_;
  // Ends first, and commits what is pending.
  std::unique_ptr<spool::Committer> committer_;
};

}  // namespace stoker::forwarding
