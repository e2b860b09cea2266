#pragma once

#include <functional>
#include <map>
#include <string>

#include <absl/status/status.h>
#include <absl/synchronization/mutex.h>
#include <nlohmann/json.hpp>

#include "services/common/http/message.h"
#include "services/common/http/router.h"
#include "services/common/metrics/registry.h"
#include "services/common/runtime/health.h"

namespace stoker::runtime {

// What every process answers over HTTP: /metrics, /-/ready, /-/healthy, /-/reload and /debug/state,
// and the paths a service adds. Paths, debug parts and the reload function are set before requests
// come; readiness and health change at any time. Thread-safe from then on.
class Control {
 public:
  Control(std::string process, std::string node_name, metrics::Registry& metrics);

  void Add(std::string method, std::string path, http::Handler handler);
  void AddDebugState(std::string name, std::function<nlohmann::json()> state);
  void OnReload(std::function<absl::Status()> reload) { reload_ = std::move(reload); }

  void SetReady(bool ready);
  // The SHA-256 of the configuration in force, in hex.
  void SetConfigHash(const std::string& sha256);
  HealthBoard& health() { return health_; }

  // Runs the reload function, one at a time.
  absl::Status Reload();

  [[nodiscard]] http::Response Handle(const http::Request& request) const {
    return router_.Route(request);
  }

 private:
  [[nodiscard]] bool ready() const;
  [[nodiscard]] http::Response Ready() const;
  [[nodiscard]] http::Response Healthy() const;
  [[nodiscard]] http::Response DebugState() const;

  const std::string process_;
  const std::string node_name_;
  metrics::Registry& metrics_;
  http::Router router_;
  std::map<std::string, std::function<nlohmann::json()>> states_;
  std::function<absl::Status()> reload_;
  HealthBoard health_;

  absl::Mutex reload_mutex_;
  mutable absl::Mutex mutex_;
  bool ready_ ABSL_GUARDED_BY(mutex_) = false;
  std::string config_hash_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace stoker::runtime
