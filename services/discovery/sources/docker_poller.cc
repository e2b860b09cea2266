#include "services/discovery/sources/docker_poller.h"

#include <utility>

#include <fmt/format.h>

#include "services/common/base/status.h"
#include "services/discovery/sources/docker_swarm_targets.h"
#include "services/discovery/sources/docker_targets.h"

namespace stoker::discovery {
namespace {

DockerPoller::Events SwarmEvents(config::DiscoveryDockerSwarm::Role role) {
  using Role = config::DiscoveryDockerSwarm::Role;
  if (role == Role::kNodes) {
    return {{"type", {"node"}}, {"event", {"create", "update", "remove"}}};
  }
  if (role == Role::kServices) {
    return {{"type", {"service", "network"}}, {"event", {"create", "update", "remove"}}};
  }
  // A task has no events; its container's are those of this node only.
  return {{"type", {"service", "node", "container"}},
          {"event", {"create", "update", "remove", "start", "die"}}};
}

}  // namespace

DockerPoller::DockerPoller(absl::StatusOr<DockerHost> host, Events events, const Clock& clock)
    : event_kinds_(std::move(events)), clock_(clock), host_status_(host.status()) {
  if (!host.ok()) return;
  events_ = std::make_unique<DockerEvents>(host->client, clock, [this] { OnEvent(); });
  client_ = std::make_unique<DockerClient>(*std::move(host));
}

void DockerPoller::OnEvent() {
  event_ = true;
  ask_soon_();
}

absl::StatusOr<model::TargetVector> DockerPoller::Ask() {
  STOKER_RETURN_IF_ERROR(host_status_);
  if (event_.exchange(false)) asks_since_event_ = 0;
  // Before the lists: nothing that happens after them is missed.
  STOKER_RETURN_IF_ERROR(FollowEvents());
  STOKER_ASSIGN_OR_RETURN(std::vector<KeptTargets::Found> found, List(*client_));
  return targets_.Make(std::move(found));
}

absl::Duration DockerPoller::AskAgainIn() {
  if (asks_since_event_ >= kMaxFollowUps) return absl::InfiniteDuration();
  return kFirstFollowUp * (1 << asks_since_event_++);
}

absl::Duration DockerPoller::RetryAfter() {
  return client_ == nullptr ? absl::ZeroDuration() : client_->retry_after();
}

absl::Status DockerPoller::FollowEvents() {
  // The stream may begin later than the request; by then the daemon has kept what happened.
  const std::string since = std::to_string(absl::ToUnixSeconds(clock_.Now()));
  STOKER_ASSIGN_OR_RETURN(
      http::ClientRequest request,
      client_->Request("/events", {{"filters", DockerFilters(event_kinds_)}, {"since", since}}));
  events_->Follow(std::move(request));
  return absl::OkStatus();
}

void DockerPoller::Interrupt() {
  if (client_ != nullptr) client_->Interrupt();
}

nlohmann::json DockerPoller::DebugState() const {
  nlohmann::json state = nlohmann::json::object();
  if (events_ != nullptr) state["events"] = events_->DebugState();
  return state;
}

DockerContainers::DockerContainers(const config::DiscoveryDocker& arguments, const Clock& clock)
    : DockerPoller(
          ParseDockerHost(arguments.host, arguments.client),
          {{"type", {"container", "network"}},
           {"event",
            {"start", "die", "stop", "destroy", "rename", "create", "connect", "disconnect"}}},
          clock),
      arguments_(arguments) {}

absl::StatusOr<std::vector<KeptTargets::Found>> DockerContainers::List(DockerClient& client) {
  STOKER_ASSIGN_OR_RETURN(
      const nlohmann::json containers,
      client.List("/containers/json", {{"filters", DockerFilters(arguments_.filters)}}));
  STOKER_ASSIGN_OR_RETURN(const nlohmann::json networks, client.List("/networks", {}));
  return ContainerTargets(containers, ReadNetworks(networks, "__meta_docker_"), arguments_);
}

DockerSwarm::DockerSwarm(const config::DiscoveryDockerSwarm& arguments, const Clock& clock)
    : DockerPoller(ParseDockerHost(arguments.host, arguments.client), SwarmEvents(arguments.role),
                   clock),
      arguments_(arguments) {}

absl::StatusOr<std::vector<KeptTargets::Found>> DockerSwarm::List(DockerClient& client) {
  using Role = config::DiscoveryDockerSwarm::Role;
  const DockerClient::Query filters{{"filters", DockerFilters(arguments_.filters)}};
  if (arguments_.role == Role::kNodes) {
    STOKER_ASSIGN_OR_RETURN(const nlohmann::json nodes, client.List("/nodes", filters));
    return NodeTargets(nodes, arguments_.port);
  }
  STOKER_ASSIGN_OR_RETURN(const nlohmann::json networks, client.List("/networks", {}));
  const NetworkLabels network_labels = ReadNetworks(networks, "__meta_dockerswarm_");
  if (arguments_.role == Role::kServices) {
    STOKER_ASSIGN_OR_RETURN(const nlohmann::json services, client.List("/services", filters));
    return ServiceTargets(services, network_labels, arguments_.port);
  }
  STOKER_ASSIGN_OR_RETURN(const nlohmann::json tasks, client.List("/tasks", filters));
  STOKER_ASSIGN_OR_RETURN(const nlohmann::json services, client.List("/services", {}));
  STOKER_ASSIGN_OR_RETURN(const nlohmann::json nodes, client.List("/nodes", {}));
  return TaskTargets({tasks, services, nodes, network_labels}, arguments_.port);
}

}  // namespace stoker::discovery
