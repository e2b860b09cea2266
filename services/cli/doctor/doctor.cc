#include "services/cli/doctor/doctor.h"

#include <cstdio>
#include <optional>

#include <absl/time/clock.h>
#include <fmt/format.h>

#include "services/cli/doctor/diagnose.h"
#include "services/cli/doctor/system_host.h"
#include "services/common/base/status.h"
#include "services/common/http/client.h"

namespace stoker::cli {
namespace {

// The gateway waits up to 5 s for each process.
constexpr absl::Duration kTimeout = absl::Seconds(60);
constexpr absl::Duration kConnectTimeout = absl::Seconds(2);
constexpr std::size_t kMaxBodyBytes = std::size_t{256} << 20;
// Between two looks at the counters: what grows meanwhile happens now.
constexpr absl::Duration kBetween = absl::Seconds(2);

class Instance {
 public:
  explicit Instance(std::string address)
      : address_(std::move(address)),
        client_(http::Client::Make({}, {.connect_timeout = kConnectTimeout})) {}

  absl::StatusOr<std::string> Get(const std::string& path) {
    STOKER_ASSIGN_OR_RETURN(http::Response response,
                            client_->Do({.url = "http://" + address_ + path,
                                         .timeout = kTimeout,
                                         .max_body_bytes = kMaxBodyBytes}));
    if (response.status != 200) return Unavailable("status {}", response.status);
    return std::move(response.body);
  }

  // Nothing where none answers, or somebody else does.
  std::optional<InstanceView> Look() {
    auto before = Get("/metrics");
    if (!before.ok()) return std::nullopt;
    absl::SleepFor(kBetween);
    const auto state = Get("/debug/state");
    auto metrics = Get("/metrics");
    if (!state.ok() || !metrics.ok()) return std::nullopt;
    InstanceView view{.state = nlohmann::json::parse(*state, nullptr, false),
                      .metrics = *std::move(metrics),
                      .metrics_before = *std::move(before),
                      .now = absl::Now()};
    if (!view.state.is_object() || !view.state.contains("processes")) return std::nullopt;
    return view;
  }

 private:
  const std::string address_;
  const std::unique_ptr<http::Client> client_;
};

}  // namespace

int Doctor(const DoctorOptions& options) {
  const std::unique_ptr<Host> host = MakeSystemHost();
  const Checks checks = Diagnose(*host, {.config = options.config, .data_dir = options.data_dir},
                                 Instance(options.address).Look());
  if (options.json) {
    fmt::print("{}\n",
               ToJson(checks).dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
  } else {
    fmt::print("{}", ToText(checks, UseColor(options.color, stdout)));
  }
  return HasError(checks) ? 1 : 0;
}

}  // namespace stoker::cli
