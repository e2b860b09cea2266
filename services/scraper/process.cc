#include "services/scraper/process.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <absl/strings/numbers.h>
#include <absl/time/clock.h>

#include "services/common/base/file_limit.h"
#include "services/common/base/status.h"
#include "services/common/cluster/replicas.h"
#include "services/common/config/last_good.h"
#include "services/common/forwarding/profile_outlet.h"
#include "services/common/log/log.h"
#include "services/common/rpc/address.h"
#include "services/common/runtime/core_thread.h"
#include "services/common/runtime/version.h"
#include "services/common/runtime/workers.h"
#include "services/common/targets/target_watcher.h"
#include "services/scraper/scrape_component.h"

namespace stoker::scraper {
namespace {

// How late a scrape may begin.
constexpr absl::Duration kTick = absl::Milliseconds(20);
// For what was scraped to reach the forwarder.
constexpr absl::Duration kFlush = absl::Seconds(5);
// Bodies that are coming: of each the first MiB, and what is beyond.
constexpr std::size_t kSmallBytes = std::size_t{64} << 20;
constexpr std::size_t kLargeBytes = std::size_t{192} << 20;
// Bodies that wait to be read.
constexpr std::size_t kBodyBytes = std::size_t{128} << 20;
constexpr std::size_t kWorkers = 2;
constexpr std::size_t kMaxInFlight = 65'536;

using LastGoodScrape = config::LastGood<config::PyroscopeScrape>;

std::unique_ptr<http::Client> MakeClient(const config::HttpClientConfig& client) {
  return http::Client::Make(client, {.user_agent = std::string("stoker/") + runtime::kVersion,
                                     .max_in_flight = kMaxInFlight});
}

// What the command line says of sizes.
struct Limits {
  std::size_t profile_bytes = 0;
  std::size_t spool_bytes = 0;
  absl::Duration spool_age;
};

// All of the process. Components are changed on the thread only; HTTP handlers outlive RunProcess,
// and with them what they ask.
class Parts final : Surroundings {
 public:
  Parts(runtime::Service& service, const Limits& limits, const std::string& forwarder)
      : service_(service),
        max_profile_bytes_(limits.profile_bytes),
        metrics_(service.metrics()),
        outlet_({.process = "scraper",
                 .forwarder = forwarder,
                 .spool_bytes = limits.spool_bytes,
                 .spool_age = limits.spool_age,
                 .accepted = [this](const std::string& producer,
                                    absl::Duration waited) { OnAccepted(producer, waited); }},
                service, metrics_.stage, thread_),
        thread_(kTick, [this] { Tick(); }),
        workers_(kWorkers, kBodyBytes) {}

  void Start() { outlet_.Start(); }

  // Takes over who the replicas are. Asks the name service; not on the thread.
  void ApplyCluster(const config::Stoker::Cluster& cluster) {
    if (cluster == cluster_) return;
    cluster_ = cluster;
    std::unique_ptr<cluster::Replicas> replicas;
    if (!cluster.peers.empty()) replicas = MakeReplicas(cluster);
    thread_.Call([&] {
      replicas_.swap(replicas);
      UpdateShare();
    });
  }

  // Starts, changes and ends components so that they are those of `last`.
  void Apply(const config::Configuration& configuration, const LastGoodScrape& last) {
    const std::string& address = configuration.stoker().discovery.address;
    const std::string discovery =
        address.empty() ? "unix:" + service_.options().run_dir + "/discovery.sock" : address;
    thread_.Call([&] {
      std::erase_if(components_, [&](const auto& entry) {
        if (last.arguments().contains(entry.first)) return false;
        service_.RemoveHealth(entry.first);
        return true;
      });
      for (const auto& [id, arguments] : last.arguments()) {
        Change({.id = id,
                .arguments = arguments,
                .tenant = configuration.stoker().tenant,
                .node = service_.options().node_name,
                .max_profile_bytes = max_profile_bytes_},
               discovery);
      }
      ReportHealth(last);
    });
  }

  // Ends scrapes, and hands what was scraped to the forwarder as far as it takes it in time; the
  // rest goes to disk.
  void Stop() {
    thread_.Call([this] { components_.clear(); });
    outlet_.Drain(kFlush);
    // Its changes go to the thread.
    std::unique_ptr<cluster::Replicas> replicas;
    thread_.Call([&] { replicas_.swap(replicas); });
    replicas.reset();
    thread_.Stop();
  }

  nlohmann::json State() {
    nlohmann::json state;
    thread_.Call([&] {
      state["cluster"] = ClusterState();
      state["queue"] = outlet_.State();
      for (const auto& [id, running] : components_) {
        nlohmann::json component = running->component.State();
        const targets::TargetWatcher::State watch = running->watcher->state();
        component["synced"] = watch.synced;
        component["discovery"] = watch.status.ToString();
        state["components"][id] = std::move(component);
      }
    });
    return state;
  }

 private:
  // The watcher goes first: it speaks to the component.
  struct RunningComponent {
    ScrapeComponent component;
    std::unique_ptr<targets::TargetWatcher> watcher;
  };

  std::unique_ptr<cluster::Replicas> MakeReplicas(const config::Stoker::Cluster& cluster) {
    const runtime::Options& options = service_.options();
    std::vector<std::string> addresses;
    for (const std::string& peer : cluster.peers) addresses.push_back(WithOwnPort(peer));
    return std::make_unique<cluster::Replicas>(
        cluster::Replicas::Options{
            .addresses = std::move(addresses),
            .self = cluster.self.empty() ? "" : WithOwnPort(cluster.self),
            .listens = {"unix:" + options.run_dir + "/scraper.sock", options.grpc_listen},
            .forgive_refusal = true},
        service_.dialer(),
        [this](const cluster::Replicas&) { thread_.Post([this] { UpdateShare(); }); });
  }

  // Replicas listen on the same port unless they say otherwise.
  std::string WithOwnPort(const std::string& peer) {
    const auto own = rpc::ParseAddress(service_.options().grpc_listen);
    if (peer.starts_with("unix:") || rpc::ParseAddress(peer).ok() || !own.ok()) return peer;
    return fmt::format("{}:{}", peer, own->port);
  }

  void UpdateShare() {
    std::optional<Share> share = Share();
    if (replicas_ != nullptr) share = ShareOf(*replicas_);
    if (share == share_) return;
    share_ = std::move(share);
    for (const auto& [id, running] : components_) running->component.SetShare(share_, MakeNow());
  }

  // Nothing until all have been asked. Whoever does not find itself has all targets: better twice
  // than never.
  static std::optional<Share> ShareOf(const cluster::Replicas& replicas) {
    if (!replicas.AwaitChecked(absl::ZeroDuration())) return std::nullopt;
    std::vector<std::string> members;
    std::string self;
    for (const cluster::Replica& replica : replicas.Live()) {
      members.push_back(replica.address);
      if (replica.is_self) self = replica.address;
    }
    if (self.empty()) {
      log::Error("none of stoker.cluster's peers is this process: it scrapes all targets");
      return Share();
    }
    return Share(std::move(members), std::move(self));
  }

  nlohmann::json ClusterState() {
    nlohmann::json state = nlohmann::json::array();
    if (replicas_ == nullptr) return state;
    const std::vector<cluster::Replica> live = replicas_->Live();
    for (const cluster::Replica& replica : replicas_->All()) {
      state.push_back({{"address", replica.address},
                       {"self", replica.is_self},
                       {"live", std::ranges::find(live, replica) != live.end()}});
    }
    return state;
  }

  void OnAccepted(const std::string& producer, absl::Duration waited) {
    const auto found = components_.find(producer);
    if (found != components_.end()) found->second->component.OnAccepted(waited);
  }

  bool RunAside(std::size_t bytes, std::function<void()> work) override {
    return workers_.Run(bytes, std::move(work));
  }
  std::shared_ptr<http::AnswerBudget> budget() override { return budget_; }
  void Post(std::function<void(Now)> event) override {
    thread_.Post([this, event = std::move(event)] { event(MakeNow()); });
  }
  Now MakeNow() { return {service_.clock().Monotonic(), service_.clock().Now()}; }

  void Tick() {
    for (const auto& [id, running] : components_) running->component.Tick(MakeNow());
    outlet_.queue().Tick(service_.clock().Monotonic());
  }

  void Change(ScrapeComponent::Settings settings, const std::string& discovery) {
    const std::string id = settings.id;
    std::unique_ptr<RunningComponent>& running = components_[id];
    if (running != nullptr) return running->component.Change(std::move(settings), MakeNow());
    running = std::unique_ptr<RunningComponent>(new RunningComponent{
        {std::move(settings), MakeClient, *this, outlet_.queue(), metrics_}, nullptr});
    running->component.SetShare(share_, MakeNow());
    running->watcher = std::make_unique<targets::TargetWatcher>(
        targets::TargetWatcher::Options{.address = discovery, .component_id = id},
        service_.dialer(), service_.clock(), service_.random(),
        [this, id] { thread_.Post([this, id] { UpdateTargets(id); }); });
  }

  void UpdateTargets(const std::string& id) {
    const auto found = components_.find(id);
    if (found == components_.end() || found->second->watcher == nullptr) return;
    found->second->component.SetTargets(found->second->watcher->Targets(), MakeNow());
  }

  // As the seed says, only a wrong configuration makes a component unhealthy.
  void ReportHealth(const LastGoodScrape& last) {
    for (const auto& [id, running] : components_) {
      service_.SetHealth(id, runtime::Health::kHealthy, "");
    }
    for (const auto& [id, status] : std::exchange(failed_, last.failed())) {
      if (!last.failed().contains(id) && !components_.contains(id)) service_.RemoveHealth(id);
    }
    for (const auto& [id, status] : failed_) {
      log::Error("component keeps its last good arguments",
                 {{"component_id", id}, {"error", status}});
      service_.SetHealth(id, runtime::Health::kUnhealthy, std::string(Message(status)));
    }
  }

  runtime::Service& service_;
  const std::size_t max_profile_bytes_;
  Metrics metrics_;
  const std::shared_ptr<http::AnswerBudget> budget_ =
      std::make_shared<http::AnswerBudget>(kSmallBytes, kLargeBytes);
  forwarding::ProfileOutlet outlet_;
  std::map<std::string, std::unique_ptr<RunningComponent>> components_;
  std::map<std::string, absl::Status> failed_;
  // The last of the configuration; of the thread that hands it over.
  config::Stoker::Cluster cluster_;
  std::unique_ptr<cluster::Replicas> replicas_;
  // Nothing: not known yet.
  std::optional<Share> share_ = Share();
  runtime::CoreThread thread_;
  // Ends first: it posts to the thread.
  runtime::Workers workers_;
};

absl::StatusOr<std::size_t> BytesOf(const runtime::Options& options, const std::string& flag) {
  const std::string& text = options.flags.at(flag);
  std::size_t bytes = 0;
  if (!absl::SimpleAtoi(text, &bytes)) {
    return InvalidArgument("--{}: {} is no number of bytes", flag, text);
  }
  return bytes;
}

absl::StatusOr<Limits> ReadLimits(const runtime::Options& options) {
  Limits limits;
  STOKER_ASSIGN_OR_RETURN(limits.profile_bytes, BytesOf(options, "max-profile-bytes"));
  if (limits.profile_bytes == 0) return InvalidArgument("--max-profile-bytes: must not be 0");
  STOKER_ASSIGN_OR_RETURN(limits.spool_bytes, BytesOf(options, "spool-bytes"));
  const std::string& age = options.flags.at("spool-age");
  if (!absl::ParseDuration(age, &limits.spool_age) || limits.spool_age <= absl::ZeroDuration()) {
    return InvalidArgument("--spool-age: {} is no duration such as 24h", age);
  }
  return limits;
}

}  // namespace

runtime::ServiceInfo Info() {
  return {.process = "scraper",
          .summary =
              "Requests pprof profiles over HTTP from the targets of its pyroscope.scrape "
              "components, and hands them to the forwarder. Needs no privilege.",
          .http_listen = "127.0.0.1:12343",
          .grpc_listen = "127.0.0.1:4043",
          .flags = {{"max-profile-bytes", "67108864",
                     "The largest profile that a target may answer, as it comes and inflated."},
                    {"spool-bytes", "268435456",
                     "Disk space for profiles that the forwarder does not take now; 0 for none."},
                    {"spool-age", "24h", "How long they may wait there."}}};
}

absl::Status RunProcess(runtime::Service& service) {
  // A connection is a file.
  RaiseFileLimit();
  STOKER_ASSIGN_OR_RETURN(const Limits limits, ReadLimits(service.options()));
  std::shared_ptr<Parts> parts;
  LastGoodScrape last("pyroscope.scrape");
  const auto apply = [&](const runtime::ConfigurationPtr& configuration) -> absl::Status {
    last.Update(*configuration);
    if (parts == nullptr) {
      // A process that runs stays with the forwarder that it began with.
      parts = std::make_shared<Parts>(service, limits, configuration->stoker().forwarder.address);
    }
    parts->ApplyCluster(configuration->stoker().cluster);
    parts->Apply(*configuration, last);
    return absl::OkStatus();
  };
  STOKER_RETURN_IF_ERROR(service.Configure(apply));
  service.AddDebugState("scraper", [parts] { return parts->State(); });
  parts->Start();
  absl::Status served = service.Serve({});
  if (served.ok()) service.WaitForStop();
  // The other replicas take its targets while it hands on what it has.
  service.StopGrpc(absl::ZeroDuration());
  parts->Stop();
  return served;
}

}  // namespace stoker::scraper
