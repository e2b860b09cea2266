#include "services/common/runtime/health.h"

#include <utility>

#include "services/common/base/status.h"

namespace stoker::runtime {

std::string_view Name(Health health) {
  switch (health) {
    case Health::kUnknown:
      return "unknown";
    case Health::kHealthy:
      return "healthy";
    case Health::kUnhealthy:
      return "unhealthy";
    case Health::kExited:
      return "exited";
  }
  return "";
}

void HealthBoard::Set(const std::string& component, Health health, std::string message) {
  absl::MutexLock lock(&mutex_);
  entries_[component] = {health, std::move(message)};
}

void HealthBoard::Set(const std::string& component, const std::optional<absl::Status>& status) {
  if (!status) return Remove(component);
  Set(component, status->ok() ? Health::kHealthy : Health::kUnhealthy,
      std::string(Message(*status)));
}

void HealthBoard::Remove(const std::string& component) {
  absl::MutexLock lock(&mutex_);
  entries_.erase(component);
}

std::vector<std::string> HealthBoard::Failing() const {
  absl::MutexLock lock(&mutex_);
  std::vector<std::string> failing;
  for (const auto& [id, entry] : entries_) {
    if (entry.health == Health::kUnhealthy || entry.health == Health::kExited) {
      failing.push_back(id);
    }
  }
  return failing;
}

nlohmann::json HealthBoard::ToJson() const {
  absl::MutexLock lock(&mutex_);
  nlohmann::json list = nlohmann::json::array();
  for (const auto& [id, entry] : entries_) {
    list.push_back({{"id", id}, {"health", Name(entry.health)}, {"message", entry.message}});
  }
  return list;
}

}  // namespace stoker::runtime
