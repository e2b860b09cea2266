#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>
#include <nlohmann/json.hpp>
#include <sys/types.h>

#include "services/cli/configuration.h"
#include "services/common/base/clock.h"

namespace stoker::cli {

// Brings the configuration to all processes of `stoker run`: it is checked here, once, and refused
// as one, or its snapshot takes the place of the last and every process is told. Thread-safe.
class Reloader {
 public:
  struct Parts {
    // Reads and checks the configuration, without its values: a wrong one is its component's
    // affair.
    std::function<absl::StatusOr<CheckedConfiguration>()> check;
    // Replaces the snapshot that every process reads.
    std::function<absl::Status(const std::string& snapshot)> write;
    // Has a process read it; its own refusal comes back. Blocks for a while where it is away: it
    // reads the snapshot when it starts.
    std::function<absl::Status(const std::string& process)> tell;
    // The group that discovery needs to use a Docker daemon's socket; nothing where it needs none.
    std::function<std::optional<gid_t>(const std::string& socket)> socket_group;
  };

  // `processes` run, with `configuration`. Borrows the clock.
  Reloader(Parts parts, std::vector<std::string> processes, bool with_store,
           const CheckedConfiguration& configuration, const Clock& clock);
  // Waits for a reload that runs.
  ~Reloader();

  // Blocks. INVALID_ARGUMENT with the diagnostics: nothing has changed. FAILED_PRECONDITION: it
  // needs a process that does not run, or not with the capabilities or groups; nothing has
  // changed. What a
  // process refused names it.
  absl::Status Reload();
  // The same on another thread; the outcome is logged.
  void ReloadInBackground();

  // {"hash", "last_load_successful", "last_load_at", "last_load_error"}: of what is in force, and
  // of the last try. Times as RFC 3339.
  [[nodiscard]] nlohmann::json State() const;

 private:
  absl::Status Bring();
  // Whether what runs can run components of `types`.
  [[nodiscard]] absl::Status CheckProcesses(const std::vector<std::string>& types) const;
  // Whether discovery, as it was started, may use these sockets, as far as they are new.
  [[nodiscard]] absl::Status CheckSockets(const std::vector<std::string>& sockets) const;

  const Parts parts_;
  const std::vector<std::string> processes_;
  const bool with_store_;
  // That the processes were started with.
  const std::vector<std::string> types_;
  const std::vector<std::string> docker_sockets_;
  std::set<gid_t> groups_;
  const Clock& clock_;
  // One at a time.
  absl::Mutex reloading_;
  mutable absl::Mutex mutex_;
  std::string hash_ ABSL_GUARDED_BY(mutex_);
  absl::Status last_ ABSL_GUARDED_BY(mutex_);
  absl::Time last_at_ ABSL_GUARDED_BY(mutex_);
  // Of the caller of ReloadInBackground.
  std::thread background_;
};

}  // namespace stoker::cli
