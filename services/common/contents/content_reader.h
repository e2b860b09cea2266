#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include "services/common/base/clock.h"
#include "services/common/config/contents.h"
#include "services/common/config/environment.h"
#include "services/common/http/client.h"

namespace stoker::contents {

// Reads what local.file and remote.http components export, and reads it again: a file with detector
// "fsnotify" once a second, the rest every poll_frequency. (Reading sees what a watch of the file
// misses: a renamed link above it, as Kubernetes mounts secrets.) What cannot be read keeps its
// last content.
//
// Read may be called on any thread and waits for a first answer, at most poll_timeout; one thread
// does the later reads and calls the events.
class ContentReader final : public config::Contents {
 public:
  struct Events {
    // Some content that was given out is another one now.
    std::function<void()> changed;
    // How a component is; nothing: it is not used any more.
    std::function<void(const std::string& component_id, const std::optional<absl::Status>&)> health;
  };

  // Borrows environment and clock.
  ContentReader(const config::Environment& environment, Clock& clock, Events events);
  ~ContentReader() override;

  absl::StatusOr<std::string> Read(const std::string& component_id,
                                   const config::LocalFile& file) override;
  absl::StatusOr<std::string> Read(const std::string& component_id,
                                   const config::RemoteHttp& remote) override;

  // Forgets the components that were not read since the last call.
  void ForgetUnused();

 private:
  using Arguments = std::variant<config::LocalFile, config::RemoteHttp>;
  struct Entry {
    Arguments arguments;
    // Of remote.http.
    std::shared_ptr<http::Client> client;
    // The last that could be read.
    std::optional<std::string> content;
    absl::Status status;
    absl::Duration next_read;
    bool used = true;
  };

  absl::StatusOr<std::string> ReadEntry(const std::string& component_id,
                                        const Arguments& arguments);
  absl::StatusOr<std::string> Fetch(const Entry& entry) const;
  void Keep(const std::string& component_id, Entry& entry, absl::StatusOr<std::string> read)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Run();
  // Reads what is due; true when a content changed.
  bool ReadDue();
  [[nodiscard]] std::vector<std::string> Due() const;

  const config::Environment& environment_;
  Clock& clock_;
  const Events events_;
  mutable absl::Mutex mutex_;
  std::map<std::string, Entry> entries_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace stoker::contents
