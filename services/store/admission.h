#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "services/common/model/labels.h"
#include "services/common/pprof/profile.h"
#include "services/store/limits.h"

namespace stoker::store {

// The label set that a profile was pushed with: sorted, complete, with a service name.
// INVALID_ARGUMENT (marked with its reason) for what Pyroscope refuses too: no labels, duplicates,
// names or values too long, too many, no __name__.
absl::StatusOr<model::Labels> AdmitLabels(std::vector<model::Label> labels, const Limits& limits);

// A pprof as it is stored: one series for each sample type and each set of its samples' labels.
struct AdmittedProfile {
  struct Entry {
    // Index of profile.samples.
    std::uint32_t sample = 0;
    std::int64_t value = 0;
  };
  struct Series {
    // With __profile_type__ and its parts; without what is not stored (__delta__ ...).
    model::Labels labels;
    std::vector<Entry> entries;
  };

  pprof::Profile profile;
  // Unix time.
  std::int64_t time_nanos = 0;
  std::vector<Series> series;
};

// Reads a raw pprof (bare or gzip) pushed under `labels` at time `received`, checks and normalises
// it: samples with a negative value or only zeros go, samples that point nowhere go, numeric sample
// labels go, string ones become series labels. INVALID_ARGUMENT, marked with its reason, for what
// is refused. A profile without anything left has no series.
absl::StatusOr<AdmittedProfile> AdmitProfile(const model::Labels& labels, std::string_view raw,
                                             absl::Time received, const Limits& limits);

// Whether the profile's time is within the limits' window around `now`.
absl::Status CheckWindow(const model::Labels& labels, std::int64_t time_nanos, absl::Time now,
                         const Limits& limits);

}  // namespace stoker::store
