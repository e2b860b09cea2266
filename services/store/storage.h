#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include "services/common/base/clock.h"
#include "services/common/base/env.h"
#include "services/common/model/labels.h"
#include "services/store/block.h"
#include "services/store/block_cache.h"
#include "services/store/database.h"
#include "services/store/head.h"
#include "services/store/head_log.h"
#include "services/store/limits.h"
#include "services/store/part.h"
#include "services/store/series_catalog.h"
#include "services/store/sum_cache.h"

namespace stoker::store {

struct StorageOptions {
  // Everything is kept here; made when missing.
  std::string dir;
  Limits limits;

  // The head becomes blocks when its log is this large, or this old. What a restart reads again is
  // bounded by the size.
  std::uint64_t max_log_bytes = 64 << 20;
  absl::Duration max_head_age = absl::Minutes(30);
  // Blocks do not cross a multiple of this in time.
  absl::Duration partition = absl::Hours(1);
  // Blocks of one partition are made one when there are so many, or the partition is over; a block
  // of more bytes than max_compacted_bytes is left alone.
  std::size_t compact_blocks = 4;
  std::uint64_t max_compacted_bytes = 256 << 20;

  // 0 keeps everything.
  absl::Duration max_age = absl::Hours(24 * 14);
  std::uint64_t max_block_bytes = std::uint64_t{20} << 30;
  // Of blocks read into memory, and of sums over whole blocks.
  std::size_t cache_bytes = 256 << 20;
  std::size_t sum_cache_bytes = 64 << 20;
};

// The profiles of one machine: the newest in the head, whose log is written before a push is
// answered, older ones in blocks, which a SQLite database knows. docs/design/0002-store-blocks.md
// has the why. Push, Parts and Sync may be called by any thread; Maintain by one.
class Storage {
 public:
  // Reads what an earlier process left. UNAVAILABLE while another process has the folder. `clock`
  // is borrowed.
  static absl::StatusOr<std::unique_ptr<Storage>> Open(StorageOptions options, const Clock& clock);

  struct Pushed {
    // pprof samples: those of the profile, and those of them that are stored.
    std::uint64_t samples = 0;
    std::uint64_t stored = 0;
    // A profile of this label set and ID is stored already; nothing was added.
    bool duplicate = false;
  };
  // Stores a raw pprof (bare or gzip) of an admitted label set. `id` is the sender's, "" for none.
  // Once it returns OK the profile is there after a kill. An error, but for UNAVAILABLE, is the
  // profile's own fault and is marked with its reason (rejection.h).
  absl::StatusOr<Pushed> Push(const model::Labels& labels, std::string_view raw,
                              std::string_view id);

  // What was pushed before survives a power cut when it returns.
  absl::Status Sync();

  // Makes blocks of a full head, merges blocks, drops what is too old or too much and sets damaged
  // blocks aside. Call it every second or so; one call may take as long as one block takes. What
  // fails is tried again at the next call.
  absl::Status Maintain();

  // Everything that is stored, as of now.
  [[nodiscard]] std::vector<std::shared_ptr<const Part>> Parts() const;
  [[nodiscard]] const SeriesCatalog& catalog() const { return catalog_; }
  [[nodiscard]] const Limits& limits() const { return options_.limits; }

  struct Sizes {
    std::uint64_t head_bytes = 0;
    std::uint64_t blocks = 0;
    std::uint64_t block_bytes = 0;
    std::uint64_t series = 0;
    // Set aside, by this process or an earlier one: files that end in .damaged.
    std::uint64_t damaged_blocks = 0;
  };
  [[nodiscard]] Sizes sizes() const;

 private:
  // A head and its log. All but the last get nothing more.
  struct LoggedHead {
    std::uint64_t generation = 0;
    std::shared_ptr<Head> head;
    std::shared_ptr<HeadLog> log;
    absl::Duration opened;
  };

  Storage(StorageOptions options, const Clock& clock)
      : options_(std::move(options)),
        clock_(clock),
        cache_(options_.cache_bytes),
        sums_(options_.sum_cache_bytes) {}

  absl::Status OpenAll();
  absl::Status OpenDatabase();
  absl::Status OpenBlocks();
  // Enters all blocks that lie in the folder into a new database.
  absl::Status RebuildDatabase();
  absl::Status OpenHeads();
  absl::StatusOr<LoggedHead> OpenHead(std::uint64_t generation);
  absl::Status Replay(std::string_view record, Head& head);

  absl::StatusOr<bool> IsStored(const ProfileKey& key, std::int64_t time_nanos) const;
  absl::Status CheckSeriesLimit(const AdmittedProfile& profile) const;
  [[nodiscard]] LoggedHead ActiveHead() const;

  absl::Status RollHead();
  absl::Status SealOldest();
  absl::Status CompactOne();
  [[nodiscard]] std::vector<std::shared_ptr<Block>> CompactionCandidates() const;
  absl::Status DropExpired();
  absl::Status SetDamagedAside();
  // Gives a damaged block's file another name, so that somebody can look at it.
  absl::Status SetFileAside(const std::string& path);
  // Writes `change`, then shows the blocks `added` instead of `removed`, and drops the head of the
  // sealed generation.
  absl::Status Apply(Database::Change change, std::vector<std::shared_ptr<Block>> added);
  absl::StatusOr<std::shared_ptr<Block>> WriteBlock(BlockBuilder builder);

  [[nodiscard]] std::int64_t PartitionOf(std::int64_t time_nanos) const;
  [[nodiscard]] std::string BlockPath(std::uint64_t id) const;
  [[nodiscard]] std::string LogPath(std::uint64_t generation) const;
  [[nodiscard]] std::vector<std::shared_ptr<Block>> Blocks() const;

  const StorageOptions options_;
  const Clock& clock_;
  SystemEnv env_;
  std::unique_ptr<FileLock> lock_;
  SeriesCatalog catalog_;
  BlockCache cache_;
  SumCache sums_;
  // Of the thread that calls Maintain.
  std::unique_ptr<Database> database_;
  std::uint64_t next_block_ = 1;
  std::atomic<std::uint64_t> damaged_blocks_ = 0;

  // Held while a profile is entered: log and head change together. Before state_mutex_.
  absl::Mutex push_mutex_;
  mutable absl::Mutex state_mutex_;
  // The oldest first; the last takes what is pushed.
  std::vector<LoggedHead> heads_ ABSL_GUARDED_BY(state_mutex_);
  std::vector<std::shared_ptr<Block>> blocks_ ABSL_GUARDED_BY(state_mutex_);
};

}  // namespace stoker::store
