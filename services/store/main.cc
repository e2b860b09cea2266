#include "services/common/base/status.h"
#include "services/common/runtime/service.h"
#include "services/store/legacy_api.h"
#include "services/store/maintenance_thread.h"
#include "services/store/metrics.h"
#include "services/store/operations_api.h"
#include "services/store/pusher.h"
#include "services/store/querier.h"
#include "services/store/routes.h"
#include "services/store/settings.h"
#include "services/store/storage.h"
#include "services/store/storage_flags.h"

namespace stoker::store {
namespace {

// How long requests that run at the end have.
constexpr absl::Duration kStopGrace = absl::Seconds(10);

runtime::ServiceInfo Info() {
  std::vector<runtime::ServiceInfo::Flag> flags = StorageFlags();
  flags.push_back(
      {"doctor-file", "", "A file with what stoker doctor found, for the page; \"\" for none."});
  return {.process = "store",
          .summary =
              "Keeps the profiles of one machine on disk and answers as Grafana Pyroscope does: "
              "push profiles to it, point Grafana at it, or open its page in a browser.",
          .http_listen = "127.0.0.1:4040",
          .config_required = false,
          .flags = std::move(flags),
          .http_max_body_bytes = std::size_t{256} << 20};
}

ProcessFacts FactsOf(const runtime::Options& options) {
  ProcessFacts facts = {
      .node_name = options.node_name, .http_listen = options.http_listen, .flags = options.flags};
  facts.flags["http.listen"] = options.http_listen;
  facts.flags["node-name"] = options.node_name;
  return facts;
}

absl::Status Run(runtime::Service& service) {
  Metrics metrics(service.metrics());
  // The store takes nothing from it, and says which one the others run.
  STOKER_RETURN_IF_ERROR(
      service.Configure([](const runtime::ConfigurationPtr&) { return absl::OkStatus(); }));
  STOKER_ASSIGN_OR_RETURN(StorageOptions options, ReadStorageFlags(service.options()));
  STOKER_ASSIGN_OR_RETURN(const absl::Duration interval,
                          ReadMaintenanceInterval(service.options()));
  STOKER_ASSIGN_OR_RETURN(const std::unique_ptr<Storage> storage,
                          Storage::Open(std::move(options), service.clock()));
  Pusher pusher(*storage, metrics);
  const Querier querier(*storage, service.clock());
  const LegacyApi legacy(querier, service.clock());
  const AddRoute add = [&](std::string method, std::string path, http::Handler handler) {
    service.HandleHttp(std::move(method), std::move(path), std::move(handler));
  };
  AddRoutes(pusher, querier, legacy, add);
  STOKER_ASSIGN_OR_RETURN(
      const std::unique_ptr<Settings> settings,
      Settings::Open(service.options().data_dir + "/settings.json", service.clock()));
  AddOperationsApi(FactsOf(service.options()), *settings, service.clock(), add);
  AddDiagnosis(service.options().flags.at("doctor-file"), add);
  const MaintenanceThread maintenance(*storage, metrics, interval);
  STOKER_RETURN_IF_ERROR(service.Serve({}));
  service.WaitForStop();
  service.StopHttp(kStopGrace);
  return storage->Sync();
}

}  // namespace
}  // namespace stoker::store

int main(int argc, char** argv) {
  return stoker::runtime::ServiceMain(argc, argv, stoker::store::Info(), stoker::store::Run);
}
