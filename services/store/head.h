#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <absl/synchronization/mutex.h>

#include "services/store/admission.h"
#include "services/store/part.h"
#include "services/store/series_catalog.h"
#include "services/store/stack_index.h"
#include "services/store/symbols.h"

namespace stoker::store {

// The newest profiles, in memory; a HeadLog holds what they were made of. Thread-safe: one writer,
// many readers.
class Head final : public Part {
 public:
  explicit Head(SeriesCatalog& catalog);

  // `key` is nothing for a profile without ID.
  void Add(const AdmittedProfile& profile, const std::optional<ProfileKey>& key);

  [[nodiscard]] TimeBounds bounds() const override;
  absl::Status CollectSeries(const TimeRange& range, SeriesSet& series) const override;
  absl::Status ForEachRow(const SeriesSet& series, const TimeRange& range,
                          const RowVisitor& visit) const override;
  absl::Status Sum(const SeriesSet& series, const TimeRange& range,
                   const SumVisitor& use) const override;
  [[nodiscard]] absl::StatusOr<bool> HasKey(const ProfileKey& key) const override;

  // Number of profiles, one of each series counted as one.
  [[nodiscard]] std::size_t profiles() const;
  // About what it occupies in memory.
  [[nodiscard]] std::size_t bytes() const;

  // For writing blocks of it once nothing is added any more.
  using ProfileVisitor =
      std::function<void(const ProfileRow&, const Symbols&, std::vector<StackValue>&)>;
  absl::Status ForEachProfile(const ProfileVisitor& visit) const;
  void ForEachKey(
      const std::function<void(const ProfileKey&, std::int64_t time_nanos)>& visit) const;

 private:
  struct Row {
    ProfileRow profile;
    // Where its samples begin in samples_.
    std::size_t samples = 0;
  };
  struct KeyHash {
    std::size_t operator()(const ProfileKey& key) const { return key[0]; }
  };

  SeriesCatalog& catalog_;
  mutable absl::Mutex mutex_;
  Symbols symbols_ ABSL_GUARDED_BY(mutex_);
  StackIndex stacks_ ABSL_GUARDED_BY(mutex_);
  std::vector<Row> rows_ ABSL_GUARDED_BY(mutex_);
  std::string samples_ ABSL_GUARDED_BY(mutex_);
  TimeBounds bounds_ ABSL_GUARDED_BY(mutex_);
  // With the profile's time.
  std::unordered_map<ProfileKey, std::int64_t, KeyHash> keys_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace stoker::store
