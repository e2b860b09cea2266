#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include "services/common/base/clock.h"
#include "services/common/base/env.h"
#include "services/common/spool/ack_log.h"
#include "services/common/spool/consumer.h"
#include "services/common/spool/metrics.h"
#include "services/common/spool/quarantine.h"
#include "services/common/spool/segment.h"
#include "services/common/spool/segment_writer.h"

namespace stoker::spool {

struct Options {
  // Made if need be; locked against a second process.
  std::string folder;
  // A file of the spool; may be overshot by one record. At most an eighth of max_bytes is used.
  std::uint64_t segment_bytes = 128 << 20;
  // On disk. Past it the oldest file is dropped: `dropped{reason="spool_full"}`.
  std::uint64_t max_bytes = std::uint64_t{10} << 30;
  // A file whose newest record is older is dropped: `dropped{reason="spool_age"}`.
  absl::Duration max_age = absl::Hours(24);
  // One record.
  std::uint64_t max_record_bytes = 64 << 20;
  // Appended and not yet durable, in memory. Past it Append refuses.
  std::uint64_t max_pending_bytes = 64 << 20;
  // Disk space kept back to finish with when the disk is full; 0 for none.
  std::uint64_t reserve_bytes = 8 << 20;
  // Durable means: survives a power cut. Without it: survives the process.
  bool sync = true;
};

// What happens to samples, for the owner's metrics::Stage. Called with the spool's lock held:
// quick, and never back into the spool. appended = completed + dropped + Audit's figure, at any
// time.
struct Events {
  // Durable now, or found at start.
  std::function<void(std::uint64_t samples)> appended;
  // Every consumer is done with them.
  std::function<void(std::uint64_t samples)> completed;
  // Some consumer lost them: "spool_full", "spool_age", "spool_damaged", "consumer_removed", or
  // what Lost said.
  std::function<void(std::string_view reason, std::uint64_t samples)> dropped;
  // New records can be read. Called without the lock.
  std::function<void()> readable;
};

// A durable queue on disk with several independent consumers: append-only files with checksums, a
// cursor per consumer, whole files removed. At least once: after a crash a consumer may get again
// what it had finished. Damage costs the records it touches and never stops the start.
//
// Thread-safe. One thread at a time calls Commit (Committer is such a thread); one thread at a time
// reads for one consumer.
class Spool {
 public:
  // Consumers of an earlier life that are not in `consumers` are removed, as SetConsumers does.
  // UNAVAILABLE when another process has the folder; other errors are the file system's.
  static absl::StatusOr<std::unique_ptr<Spool>> Open(Options options,
                                                     const std::vector<std::string>& consumers,
                                                     Env& env, Clock& clock, Metrics metrics,
                                                     Events events);
  // Seals what is open. Nothing pending may be left but what can be refused.
  ~Spool();
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;

  // Calls `done` with OK once the record is durable, from Commit. With an error the record is not
  // taken: INVALID_ARGUMENT for one too large, RESOURCE_EXHAUSTED for a full disk or too much
  // pending (both at once, in this call), else what the disk said. Never blocks.
  void Append(std::string payload, std::uint64_t samples, std::function<void(absl::Status)> done);

  // Writes and syncs all that is pending, together; keeps limits, removes finished files.
  void Commit();
  // Waits until there is something to commit, at most `timeout`.
  void AwaitPending(absl::Duration timeout);
  // Ends a running or the next AwaitPending.
  void Wake();

  struct Record {
    std::uint64_t sequence = 0;
    // Wall time of the append.
    absl::Time time;
    std::uint64_t samples = 0;
    std::string payload;
  };
  // The next records for the consumer, in order, each handed out once: at most `max_records`, and
  // no more once `max_bytes` are reached. Empty when there are none now. An error is the disk's;
  // try again later, a place that fails 8 times is passed over as damage.
  absl::StatusOr<std::vector<Record>> Read(const std::string& consumer, std::size_t max_records,
                                           std::size_t max_bytes);

  // The consumer is done with a record it was handed; any order.
  void Done(const std::string& consumer, std::uint64_t sequence);
  // Done, but for this consumer the record is lost.
  void Lost(const std::string& consumer, std::uint64_t sequence, std::string_view reason);

  // A new consumer starts at the oldest record that any of the old ones still had. What only a
  // removed one was missing is dropped.
  void SetConsumers(const std::vector<std::string>& names);

  struct ConsumerState {
    std::string name;
    std::uint64_t cursor = 0;
    // Records handed out and not done.
    std::size_t open = 0;
    // On disk, of files that it has not read to the end.
    std::uint64_t backlog_bytes = 0;
  };
  struct State {
    std::uint64_t bytes = 0;
    std::size_t segments = 0;
    // Of records not done by every consumer.
    std::uint64_t samples = 0;
    std::uint64_t last_sequence = 0;
    bool full = false;
    std::vector<ConsumerState> consumers;
  };
  [[nodiscard]] State state() const;

  // Calls `audit` with the samples held, while no event can happen.
  void Audit(const std::function<void(std::uint64_t samples)>& audit) const;

 private:
  struct Pending {
    std::string payload;
    std::uint64_t samples = 0;
    std::function<void(absl::Status)> done;
  };

  Spool(Options options, Env& env, Clock& clock, Metrics metrics, Events events);
  absl::Status Start(const std::vector<std::string>& consumers);

  // Writing, on the committing thread.
  std::vector<Pending> TakePending();
  std::size_t CommitSome(std::vector<Pending>& batch, std::size_t first);
  absl::Status EnsureWriter();
  void Publish();
  void Abandon(const absl::Status& status);
  void Seal();
  void Answer(std::vector<Pending>& batch, std::size_t first, std::size_t end,
              const absl::Status& status);

  // Limits and files, on the committing thread.
  void KeepLimits(std::uint64_t more_bytes);
  // Why the oldest file has to go; "" when it may stay.
  std::string_view OverLimit(std::uint64_t more_bytes) const;
  void DropOldest(std::string_view reason);
  void RemoveFinished();
  void WriteCursors();
  void Unlink();
  void MakeReserve();
  void CheckSpace();
  void ExportSize();
  [[nodiscard]] std::int64_t NowNs() const;

  // State, under the lock.
  std::uint64_t TotalBytes() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  std::uint64_t LowestCursor() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  // The lowest cursor of all but `except`.
  std::uint64_t LowestOther(const Consumer& except) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  void Finish(const std::string& consumer, std::uint64_t sequence, std::string_view lost_reason);
  // Every consumer is done with the record.
  void Close(const Consumer::Item& item) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Counts the records in (from, to] as lost with a removed consumer.
  void DropRange(std::uint64_t from, std::uint64_t to) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Erase(Segments::iterator segment, std::string_view reason)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Drop(std::string_view reason, std::uint64_t samples) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Reading, on the consumer's thread.
  struct Reading;
  bool HasMore(Consumer& consumer, Reading& reading);
  bool OpenSegment(Consumer& consumer, Reading& reading) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status ReadOne(Consumer& consumer, Reading& reading);
  void KeepDamage(Reading& reading, std::uint64_t begin, std::uint64_t end);
  void HandOut(Consumer& consumer, Reading& reading);

  const Options options_;
  Env& env_;
  Clock& clock_;
  Metrics metrics_;
  const Events events_;
  // Wall time is read once and then follows the monotonic clock: a jump expires nothing.
  const absl::Time wall_start_;
  const absl::Duration monotonic_start_;

  // The committing thread's.
  std::unique_ptr<FileLock> lock_;
  Quarantine quarantine_;
  AckLog ack_log_;
  std::unique_ptr<SegmentWriter> writer_;
  std::uint64_t next_sequence_ = 1;
  // Of the writer's segment, those that readers can have.
  std::uint64_t published_samples_ = 0;

  mutable absl::Mutex mutex_;
  std::vector<Pending> pending_ ABSL_GUARDED_BY(mutex_);
  // With those that are being committed.
  std::uint64_t pending_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  Segments segments_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::shared_ptr<Consumer>> consumers_ ABSL_GUARDED_BY(mutex_);
  // Why some consumer lost a record that others are not done with, by sequence.
  std::map<std::uint64_t, std::string> lost_ ABSL_GUARDED_BY(mutex_);
  // Of all segments, open.
  std::uint64_t samples_ ABSL_GUARDED_BY(mutex_) = 0;
  // Files to unlink.
  std::vector<std::string> garbage_ ABSL_GUARDED_BY(mutex_);
  bool cursors_moved_ ABSL_GUARDED_BY(mutex_) = false;
  std::uint64_t last_sequence_ ABSL_GUARDED_BY(mutex_) = 0;
  bool full_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace stoker::spool
