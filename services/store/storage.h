#pragma once

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
#include "services/common/model/labels.h"
#include "services/store/head.h"
#include "services/store/head_log.h"
#include "services/store/limits.h"
#include "services/store/part.h"
#include "services/store/series_catalog.h"

namespace stoker::store {

struct StorageOptions {
  // Everything is kept here; made when missing.
  std::string dir;
  Limits limits;
};

// The profiles of one machine: what was pushed is in the head and its log, later in blocks.
// Thread-safe.
class Storage {
 public:
  // Reads what an earlier process left. `clock` is borrowed.
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

  // Everything that is stored, as of now.
  [[nodiscard]] std::vector<std::shared_ptr<const Part>> Parts() const;
  [[nodiscard]] const SeriesCatalog& catalog() const { return catalog_; }
  [[nodiscard]] const Limits& limits() const { return options_.limits; }

 private:
  Storage(StorageOptions options, const Clock& clock)
      : options_(std::move(options)), clock_(clock) {}

  absl::Status OpenHead();
  absl::Status Replay(std::string_view record);
  absl::StatusOr<bool> IsStored(const ProfileKey& key, std::int64_t time_nanos) const;

  const StorageOptions options_;
  const Clock& clock_;
  SeriesCatalog catalog_;

  // Held while a profile is entered: log and head change together.
  absl::Mutex push_mutex_;
  std::unique_ptr<HeadLog> log_ ABSL_GUARDED_BY(push_mutex_);
  std::shared_ptr<Head> head_;
};

}  // namespace stoker::store
