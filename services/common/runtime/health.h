#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/synchronization/mutex.h>
#include <nlohmann/json.hpp>

namespace stoker::runtime {

enum class Health { kUnknown, kHealthy, kUnhealthy, kExited };

std::string_view Name(Health health);

// The health of a process' components: it is as healthy as its worst. Thread-safe.
class HealthBoard {
 public:
  void Set(const std::string& component, Health health, std::string message);
  // The same as a status; nothing: Remove.
  void Set(const std::string& component, const std::optional<absl::Status>& status);
  // A component that the configuration no longer has.
  void Remove(const std::string& component);

  // Ids of components that are unhealthy or have exited.
  [[nodiscard]] std::vector<std::string> Failing() const;

  // [{"id", "health", "message"}], by id.
  [[nodiscard]] nlohmann::json ToJson() const;

 private:
  struct Entry {
    Health health = Health::kUnknown;
    std::string message;
  };
  mutable absl::Mutex mutex_;
  std::map<std::string, Entry> entries_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace stoker::runtime
