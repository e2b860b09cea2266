#include "services/cli/gateway.h"

#include <map>
#include <utility>

#include <absl/synchronization/mutex.h>
#include <signal.h>
#include <unistd.h>

#include "services/cli/metrics_merge.h"
#include "services/common/base/status.h"
#include "services/common/http/client.h"
#include "services/common/http/router.h"
#include "services/common/http/server.h"
#include "services/common/runtime/version.h"

namespace stoker::cli {
namespace {

constexpr absl::Duration kTimeout = absl::Seconds(5);
// /debug/state of a host with thousands of targets.
constexpr std::size_t kMaxBodyBytes = std::size_t{32} << 20;

class HttpGateway final : public Gateway {
 public:
  HttpGateway(std::string run_dir, std::vector<std::string> processes)
      : run_dir_(std::move(run_dir)),
        processes_(std::move(processes)),
        client_(http::Client::Make({})) {}

  absl::Status Listen(const RunOptions& options) {
    router_.Add("GET", "/metrics", [this](const http::Request&) { return Metrics(); });
    router_.Add("GET", "/-/ready", [this](const http::Request&) { return Gather("/-/ready"); });
    router_.Add("GET", "/-/healthy", [this](const http::Request&) { return Gather("/-/healthy"); });
    router_.Add("GET", "/debug/state", [this](const http::Request&) { return State(); });
    router_.Add("POST", "/-/reload", [](const http::Request&) {
      // The supervisor's loop does the rest: it checks the file first.
      kill(getpid(), SIGHUP);
      return http::Text(202, "reloading; the log and /debug/state tell the outcome\n");
    });
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

 private:
  absl::StatusOr<http::Response> Ask(const std::string& process, const std::string& path) {
    return client_->Do({.url = "http://localhost" + path,
                        .timeout = kTimeout,
                        .max_body_bytes = kMaxBodyBytes,
                        .unix_socket = run_dir_ + "/" + process + ".http.sock"});
  }

  http::Response Metrics() {
    std::map<std::string, std::string> texts;
    for (const std::string& process : processes_) {
      auto response = Ask(process, "/metrics");
      if (response.ok() && response->status == 200) texts[process] = std::move(response->body);
    }
    http::Response merged = http::Text(200, MergeMetrics(texts));
    merged.headers.Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    return merged;
  }

  // 200 when every process answers 200, else 503 with what the others said.
  http::Response Gather(const std::string& path) {
    std::string failing;
    for (const std::string& process : processes_) {
      const auto response = Ask(process, path);
      if (response.ok() && response->status == 200) continue;
      failing += process + ": " +
                 (response.ok() ? response->body : std::string(Message(response.status())) + "\n");
    }
    return failing.empty() ? http::Text(200, "All processes are fine.\n")
                           : http::Text(503, failing);
  }

  http::Response State() {
    nlohmann::ordered_json state = {{"process", "stoker"}, {"version", runtime::kVersion}};
    {
      absl::MutexLock lock(&mutex_);
      state["processes"] = supervised_;
    }
    for (const std::string& process : processes_) {
      const auto response = Ask(process, "/debug/state");
      state["state"][process] =
          response.ok() ? nlohmann::ordered_json::parse(response->body, nullptr, false)
                        : nlohmann::ordered_json(std::string(Message(response.status())));
    }
    return http::Json(200,
                      state.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  }

  const std::string run_dir_;
  const std::vector<std::string> processes_;
  http::Router router_;
  const std::unique_ptr<http::Client> client_;
  absl::Mutex mutex_;
  nlohmann::json supervised_ ABSL_GUARDED_BY(mutex_) = nlohmann::json::array();
  // Destroyed first: no handler runs when the rest goes.
  std::unique_ptr<http::Server> server_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Gateway>> Gateway::Start(const RunOptions& options,
                                                        std::vector<std::string> processes) {
  auto gateway = std::make_unique<HttpGateway>(options.run_dir, std::move(processes));
  STOKER_RETURN_IF_ERROR(gateway->Listen(options));
  return gateway;
}

}  // namespace stoker::cli
