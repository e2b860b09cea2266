#include "services/forwarder/process.h"

#include <memory>
#include <set>
#include <string>
#include <utility>

#include "services/common/base/env.h"
#include "services/common/base/status.h"
#include "services/common/log/log.h"
#include "services/common/spool/committer.h"
#include "services/forwarder/delivery_thread.h"
#include "services/forwarder/http_push_client.h"
#include "services/forwarder/load_settings.h"
#include "services/forwarder/profile_service.h"

namespace stoker::forwarder {
namespace {

// For running streams to end; the spool keeps what they brought.
constexpr absl::Duration kGrace = absl::Seconds(2);

// Tells the service how the components are, from the delivery thread.
class HealthReport {
 public:
  HealthReport(runtime::Service& service, const Forwarder& forwarder)
      : service_(service), forwarder_(forwarder) {}

  void Update() {
    std::map<std::string, std::string> health = forwarder_.Health();
    if (health == last_) return;
    for (const auto& [component, message] : last_) {
      if (!health.contains(component)) service_.RemoveHealth(component);
    }
    for (const auto& [component, message] : health) {
      service_.SetHealth(component,
                         message.empty() ? runtime::Health::kHealthy : runtime::Health::kUnhealthy,
                         message);
    }
    last_ = std::move(health);
  }

 private:
  runtime::Service& service_;
  const Forwarder& forwarder_;
  std::map<std::string, std::string> last_;
};

// HTTP handlers outlive RunProcess, and with them what they ask.
struct Parts {
  SystemEnv env;
  std::unique_ptr<Forwarder> forwarder;
  LastGoodWrite writers{"pyroscope.write"};
};

// Takes over the configuration: the first opens the spool with the bounds that it gives.
absl::Status Apply(runtime::Service& service, Parts& parts,
                   const config::Configuration& configuration) {
  LastGoodWrite writers = parts.writers;
  STOKER_ASSIGN_OR_RETURN(const Settings settings, LoadSettings(configuration, writers));
  if (parts.forwarder == nullptr) {
    STOKER_ASSIGN_OR_RETURN(parts.forwarder,
                            Forwarder::Open({.folder = service.options().data_dir,
                                             .spool = {.max_bytes = settings.spool_max_bytes,
                                                       .max_age = settings.spool_max_age}},
                                            settings, parts.env, service.clock(), service.random(),
                                            service.metrics(), MakeHttpPushClient));
  } else {
    STOKER_RETURN_IF_ERROR(parts.forwarder->Apply(settings));
  }
  for (const auto& [id, status] : settings.failed) {
    log::Error("component keeps its last good arguments",
               {{"component_id", id}, {"error", status}});
  }
  parts.writers = std::move(writers);
  return absl::OkStatus();
}

}  // namespace

runtime::ServiceInfo Info() {
  return {.process = "forwarder",
          .summary =
              "Takes profiles from collectors over gRPC, keeps them on disk, and delivers each to "
              "the endpoints of its pyroscope.write components, through outages, restarts and "
              "crashes.",
          .http_listen = "127.0.0.1:12346",
          .grpc_listen = "127.0.0.1:4041"};
}

absl::Status RunProcess(runtime::Service& service) {
  const auto parts = std::make_shared<Parts>();
  STOKER_RETURN_IF_ERROR(
      service.Configure([&service, parts](const runtime::ConfigurationPtr& configuration) {
        return Apply(service, *parts, *configuration);
      }));
  Forwarder& forwarder = *parts->forwarder;
  service.AddDebugState("forwarder", [parts] { return parts->forwarder->State(); });
  const spool::Committer committer(forwarder.spool(), [&] { forwarder.Audit(); });
  HealthReport health(service, forwarder);
  const DeliveryThread delivery(forwarder, [&] { health.Update(); });
  ProfileServiceAdapter profiles(forwarder);
  STOKER_RETURN_IF_ERROR(service.Serve({&profiles}));
  service.WaitForStop();
  service.StopGrpc(kGrace);
  return absl::OkStatus();
}

}  // namespace stoker::forwarder
