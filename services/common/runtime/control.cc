#include "services/common/runtime/control.h"

#include <utility>

#include "services/common/base/status.h"
#include "services/common/log/log.h"
#include "services/common/runtime/version.h"

namespace stoker::runtime {
namespace {

constexpr char kConfigHash[] = "stoker_config_hash";
constexpr char kConfigHashHelp[] = "1 for the SHA-256 of the configuration in force.";

}  // namespace

Control::Control(std::string process, std::string node_name, metrics::Registry& metrics)
    : process_(std::move(process)), node_name_(std::move(node_name)), metrics_(metrics) {
  metrics_
      .Gauge("stoker_build_info", "Always 1; the version is a label.",
             {{"version", kVersion}, {"process", process_}})
      .Set(1);
  Add("GET", "/metrics", [this](const http::Request&) {
    return http::Response{.headers = {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}},
                          .body = metrics_.Text()};
  });
  Add("GET", "/-/ready", [this](const http::Request&) { return Ready(); });
  Add("GET", "/-/healthy", [this](const http::Request&) { return Healthy(); });
  Add("GET", "/debug/state", [this](const http::Request&) { return DebugState(); });
  const http::Handler reload = [this](const http::Request&) {
    const absl::Status status = Reload();
    if (status.ok()) return http::Text(200, "config reloaded\n");
    return http::Text(400, std::string(Message(status)) + "\n");
  };
  Add("GET", "/-/reload", reload);
  Add("POST", "/-/reload", reload);
}

void Control::Add(std::string method, std::string path, http::Handler handler) {
  router_.Add(std::move(method), std::move(path), std::move(handler));
}

void Control::AddDebugState(std::string name, std::function<nlohmann::json()> state) {
  states_[std::move(name)] = std::move(state);
}

void Control::SetReady(bool ready) {
  absl::MutexLock lock(&mutex_);
  ready_ = ready;
}

bool Control::ready() const {
  absl::MutexLock lock(&mutex_);
  return ready_;
}

void Control::SetConfigHash(const std::string& sha256) {
  absl::MutexLock lock(&mutex_);
  if (!config_hash_.empty()) {
    metrics_.Gauge(kConfigHash, kConfigHashHelp, {{"sha256", config_hash_}}).Set(0);
  }
  config_hash_ = sha256;
  metrics_.Gauge(kConfigHash, kConfigHashHelp, {{"sha256", config_hash_}}).Set(1);
}

absl::Status Control::Reload() {
  absl::MutexLock lock(&reload_mutex_);
  if (reload_ == nullptr) return absl::OkStatus();
  const absl::Status status = reload_();
  if (status.ok()) {
    log::Info("configuration reloaded");
  } else {
    log::Error("configuration not reloaded", {{"error", status}});
  }
  return status;
}

http::Response Control::Ready() const {
  if (ready()) return http::Text(200, "stoker-" + process_ + " is ready.\n");
  return http::Text(503, "stoker-" + process_ + " is not ready.\n");
}

http::Response Control::Healthy() const {
  std::string names;
  for (const std::string& id : health_.Failing()) names += (names.empty() ? "" : ", ") + id;
  if (names.empty()) return http::Text(200, "All components are healthy.\n");
  return http::Text(500, "unhealthy components: " + names + "\n");
}

http::Response Control::DebugState() const {
  nlohmann::ordered_json state = {{"process", process_},
                                  {"version", kVersion},
                                  {"node", node_name_},
                                  {"ready", ready()},
                                  {"components", health_.ToJson()}};
  {
    absl::MutexLock lock(&mutex_);
    state["config_hash"] = config_hash_;
  }
  for (const auto& [name, part] : states_) state[name] = part();
  return http::Json(200,
                    state.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

}  // namespace stoker::runtime
