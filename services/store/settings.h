#pragma once

#include <map>
#include <memory>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>

#include "proto/settings/v1/settings.pb.h"
#include "services/common/base/clock.h"
#include "services/common/base/env.h"

namespace stoker::store {

// settings.v1.SettingsService: what Grafana's Drilldown keeps with the server (presets of its
// diffs, the number of nodes). One small JSON file, written whole at each change. Thread-safe.
class Settings {
 public:
  // Reads the file at `path`; none there is no settings. A damaged one is set aside and logged. The
  // clock is borrowed.
  static absl::StatusOr<std::unique_ptr<Settings>> Open(std::string path, const Clock& clock);

  // By name.
  absl::StatusOr<settings::v1::GetSettingsResponse> Get(
      const settings::v1::GetSettingsRequest& request) const;
  // ALREADY_EXISTS when what is stored is newer; without a time it is now. INVALID_ARGUMENT for
  // none, or one too large.
  absl::StatusOr<settings::v1::SetSettingsResponse> Set(
      const settings::v1::SetSettingsRequest& request);
  // Deleting what is not there is fine.
  absl::StatusOr<settings::v1::DeleteSettingsResponse> Delete(
      const settings::v1::DeleteSettingsRequest& request);

 private:
  using ByName = std::map<std::string, settings::v1::Setting>;

  Settings(std::string path, const Clock& clock) : path_(std::move(path)), clock_(clock) {}
  absl::Status Read();
  // Makes `settings` what is stored.
  absl::Status Write(ByName settings) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string path_;
  const Clock& clock_;
  SystemEnv env_;
  mutable absl::Mutex mutex_;
  ByName settings_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace stoker::store
