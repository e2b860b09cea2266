#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>

#include "proto/sample/v1/sample.pb.h"
#include "services/collector/ebpf/spooled_batch.pb.h"
#include "services/common/base/clock.h"
#include "services/common/base/env.h"
#include "services/common/spool/committer.h"
#include "services/common/spool/spool.h"

namespace stoker::ebpf {

// Batches of one component that wait on disk for the symbolizer, oldest first: those of this run,
// and those that earlier runs left. Thread-safe, but for Take: one thread.
class BatchSpool {
 public:
  // What becomes of samples; quick, and never back into the spool.
  struct Events {
    // An earlier run left them; called by Open only.
    std::function<void(std::uint64_t samples)> found;
    std::function<void(std::uint64_t samples)> done;
    std::function<void(std::string_view reason, std::uint64_t samples)> dropped;
  };

  // `options.folder` is made if need be. `hello` is this run's. Borrows env and clock.
  static absl::StatusOr<std::unique_ptr<BatchSpool>> Open(spool::Options options,
                                                          sample::v1::Hello hello, Env& env,
                                                          Clock& clock, spool::Metrics metrics,
                                                          Events events);
  // Commits what was put.
  ~BatchSpool();
  BatchSpool(const BatchSpool&) = delete;
  BatchSpool& operator=(const BatchSpool&) = delete;

  // Takes a batch of this run. It is durable a moment later; one that the disk refuses is dropped
  // as "spool_failed".
  void Put(const sample::v1::RawStackBatch& batch, std::uint64_t samples);

  struct Taken {
    std::shared_ptr<const SpooledBatch> record;
    // For Done and Lost.
    std::uint64_t sequence = 0;
    std::uint64_t samples = 0;
    std::uint64_t bytes = 0;
  };
  // The next batches, each handed out once in this run: no more once `max_bytes` are reached. None:
  // there are none now. An error is the disk's; try again later.
  absl::StatusOr<std::vector<Taken>> Take(std::uint64_t max_bytes);

  // Whether the batch was put by this run.
  [[nodiscard]] bool IsThisRun(const SpooledBatch& record) const {
    return record.hello().run_id() == hello_.run_id();
  }

  // Samples of this run that the disk has dropped by itself: no stream will bring them. Not those
  // that Lost tells of.
  [[nodiscard]] std::uint64_t samples_dropped() const;

  void Done(std::uint64_t sequence);
  void Lost(std::uint64_t sequence, std::string_view reason);

  // How many batches have been put, and how many of them are not durable yet. When nothing was put
  // between a Take that gave none and none are under way, all have been taken.
  struct Puts {
    std::uint64_t total = 0;
    std::uint64_t under_way = 0;
    bool operator==(const Puts&) const = default;
  };
  [[nodiscard]] Puts puts() const;
  // On disk.
  [[nodiscard]] std::uint64_t bytes() const { return spool_->state().bytes; }

  // Calls `audit` with the samples held, while no event can happen.
  void Audit(const std::function<void(std::uint64_t samples)>& audit) const;

 private:
  BatchSpool(sample::v1::Hello hello, Events events);
  void OnAppended(std::uint64_t samples);
  void OnCompleted(std::uint64_t samples);
  void OnDropped(std::string_view reason, std::uint64_t samples);

  const sample::v1::Hello hello_;
  const Events events_;

  // Locked after the spool's own.
  mutable absl::Mutex mutex_;
  bool opened_ ABSL_GUARDED_BY(mutex_) = false;
  Puts puts_ ABSL_GUARDED_BY(mutex_);
  // Put, and not in the spool yet.
  std::uint64_t samples_under_way_ ABSL_GUARDED_BY(mutex_) = 0;
  // On disk, of earlier runs: older than all of this one, so what is finished or dropped is theirs
  // first.
  std::uint64_t earlier_samples_ ABSL_GUARDED_BY(mutex_) = 0;
  std::uint64_t samples_dropped_ ABSL_GUARDED_BY(mutex_) = 0;

  std::unique_ptr<spool::Spool> spool_;
  std::unique_ptr<spool::Committer> committer_;
};

}  // namespace stoker::ebpf
