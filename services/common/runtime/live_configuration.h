#pragma once

#include <functional>
#include <memory>
#include <string>

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>

#include "services/common/base/clock.h"
#include "services/common/config/configuration.h"
#include "services/common/config/environment.h"
#include "services/common/contents/content_reader.h"

namespace stoker::runtime {

using ConfigurationPtr = std::shared_ptr<const config::Configuration>;

// Takes a configuration over. An error refuses it whole: that before stays in force. What is wrong
// with one component only is told by its health.
using ConfigurationSink = std::function<absl::Status(const ConfigurationPtr&)>;

// The configuration of a running process: loaded from its file at the start and at each reload, and
// handed over again when what its local.file and remote.http components read has changed.
// Thread-safe.
class LiveConfiguration {
 public:
  struct Events {
    // The SHA-256 of what is in force now.
    std::function<void(const std::string&)> hash;
    // As of contents::ContentReader.
    std::function<void(const std::string& component_id, const std::optional<absl::Status>&)> health;
  };

  // `path`: a file, a folder or a snapshot (config/snapshot.h). Borrows machine and clock.
  LiveConfiguration(std::string path, const config::Environment& machine, Clock& clock,
                    Events events);
  ~LiveConfiguration() { Stop(); }
  LiveConfiguration(const LiveConfiguration&) = delete;
  LiveConfiguration& operator=(const LiveConfiguration&) = delete;

  // Loads and hands over. Values that are written out are checked too: a start with a wrong one
  // fails, while a reload with it changes all components but one.
  absl::Status Start(ConfigurationSink sink);

  // The same at a reload. INVALID_ARGUMENT with the diagnostics when the file is refused; nothing
  // has changed then.
  absl::Status Reload();

  // Once it has returned the sink is called no more.
  void Stop();

 private:
  absl::StatusOr<ConfigurationPtr> Load(bool check_values);
  absl::Status HandOver(ConfigurationPtr configuration) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnContentsChanged();

  const std::string path_;
  const config::Environment& machine_;
  const Events events_;
  absl::Mutex mutex_;
  ConfigurationSink sink_ ABSL_GUARDED_BY(mutex_);
  // Destroyed before what it calls, and after what reads it.
  contents::ContentReader contents_;
  ConfigurationPtr current_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace stoker::runtime
