#include "services/cli/gateway.h"

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <absl/strings/ascii.h>
#include <absl/strings/str_join.h>
#include <absl/strings/str_split.h>
#include <absl/synchronization/mutex.h>

#include "services/cli/metrics_merge.h"
#include "services/cli/process_request.h"
#include "services/common/base/status.h"
#include "services/common/http/router.h"
#include "services/common/http/server.h"
#include "services/common/runtime/version.h"

namespace stoker::cli {
namespace {

// What a process' /-/healthy begins with when it is not (runtime/control.h).
const std::string kUnhealthy = "unhealthy components: ";

class HttpGateway final : public Gateway {
 public:
  HttpGateway(std::string run_dir, std::vector<std::string> processes, Reloader& reloader)
      : requests_(std::move(run_dir)), processes_(std::move(processes)), reloader_(reloader) {}

  absl::Status Listen(const RunOptions& options) {
    router_.Add("GET", "/metrics", [this](const http::Request&) { return Metrics(); });
    router_.Add("GET", "/-/ready", [this](const http::Request&) { return Ready(); });
    router_.Add("GET", "/-/healthy", [this](const http::Request&) { return Healthy(); });
    router_.Add("GET", "/debug/state", [this](const http::Request&) { return State(); });
    router_.Add("GET", "/api/doctor", [this](const http::Request&) { return Doctor(); });
    for (const char* method : {"GET", "POST"}) {
      router_.Add(method, "/-/reload", [this](const http::Request&) { return Reload(); });
    }
    STOKER_ASSIGN_OR_RETURN(server_, http::Server::Start({.addresses = {options.http_listen},
                                                          .address_flag = "--http.listen",
                                                          .insecure = options.insecure},
                                                         [this](const http::Request& request) {
                                                           return router_.Route(request);
                                                         }));
    return absl::OkStatus();
  }

  void SetProcesses(nlohmann::json processes) override {
    absl::MutexLock lock(&mutex_);
    supervised_ = std::move(processes);
  }

  void SetDoctor(std::string checks) override {
    absl::MutexLock lock(&mutex_);
    doctor_ = std::move(checks);
  }

  http::Response Metrics() override {
    std::map<std::string, std::string> texts;
    for (const std::string& process : processes_) {
      auto response = requests_.Send(process, "GET", "/metrics");
      if (response.ok() && response->status == 200) texts[process] = std::move(response->body);
    }
    http::Response merged = http::Text(200, MergeMetrics(texts));
    merged.headers.Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    return merged;
  }

  http::Response State() override {
    nlohmann::ordered_json state = {{"process", "stoker"}, {"version", runtime::kVersion}};
    state["configuration"] = reloader_.State();
    {
      absl::MutexLock lock(&mutex_);
      state["processes"] = supervised_;
    }
    for (const std::string& process : processes_) {
      const auto response = requests_.Send(process, "GET", "/debug/state");
      state["state"][process] =
          response.ok() ? nlohmann::ordered_json::parse(response->body, nullptr, false)
                        : nlohmann::ordered_json(std::string(Message(response.status())));
    }
    return http::Json(200,
                      state.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  }

 private:
  // 503 until the first look.
  http::Response Doctor() {
    absl::MutexLock lock(&mutex_);
    return doctor_.empty() ? http::Text(503, "not looked yet: ask again in some seconds\n")
                           : http::Json(200, doctor_ + "\n");
  }

  // 200 when every process answers 200, else 503 with what the others said.
  http::Response Ready() {
    std::string waiting;
    for (const std::string& process : processes_) {
      const auto response = requests_.Send(process, "GET", "/-/ready");
      if (response.ok() && response->status == 200) continue;
      waiting += process + ": " +
                 (response.ok() ? response->body : std::string(Message(response.status())) + "\n");
    }
    return waiting.empty() ? http::Text(200, "All processes are ready.\n")
                           : http::Text(503, waiting);
  }

  // 200 when every component of every process is healthy, else 500 with their names.
  http::Response Healthy() {
    std::set<std::string> components;
    std::string away;
    for (const std::string& process : processes_) {
      const auto response = requests_.Send(process, "GET", "/-/healthy");
      if (!response.ok()) {
        away += process + ": " + std::string(Message(response.status())) + "\n";
        continue;
      }
      const std::string said(absl::StripAsciiWhitespace(response->body));
      if (response->status == 200 || !said.starts_with(kUnhealthy)) continue;
      const std::vector<std::string> names = absl::StrSplit(said.substr(kUnhealthy.size()), ", ");
      components.insert(names.begin(), names.end());
    }
    if (components.empty() && away.empty()) {
      return http::Text(200, "All components are healthy.\n");
    }
    std::string text;
    if (!components.empty()) {
      text = std::string(kUnhealthy) + absl::StrJoin(components, ", ") + "\n";
    }
    return http::Text(500, text + away);
  }

  http::Response Reload() {
    const absl::Status status = reloader_.Reload();
    return status.ok() ? http::Text(200, "config reloaded\n")
                       : http::Text(400, std::string(Message(status)) + "\n");
  }

  ProcessRequests requests_;
  const std::vector<std::string> processes_;
  Reloader& reloader_;
  http::Router router_;
  absl::Mutex mutex_;
  std::string doctor_ ABSL_GUARDED_BY(mutex_);
  nlohmann::json supervised_ ABSL_GUARDED_BY(mutex_) = nlohmann::json::array();
  // Destroyed first: no handler runs when the rest goes.
  std::unique_ptr<http::Server> server_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Gateway>> Gateway::Start(const RunOptions& options,
                                                        std::vector<std::string> processes,
                                                        Reloader& reloader) {
  auto gateway = std::make_unique<HttpGateway>(options.run_dir, std::move(processes), reloader);
  STOKER_RETURN_IF_ERROR(gateway->Listen(options));
  return gateway;
}

}  // namespace stoker::cli
