#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "services/discovery/sources/docker_client.h"
#include "services/discovery/sources/docker_events.h"
#include "services/discovery/sources/docker_networks.h"
#include "services/discovery/sources/kept_targets.h"
#include "services/discovery/sources/polled_source.h"

namespace stoker::discovery {

// Asks a Docker daemon, again when it tells of a change.
class DockerPoller : public Poller {
 public:
  using Events = std::vector<config::DockerFilter>;

  void OnStart(std::function<void()> ask_soon) final { ask_soon_ = std::move(ask_soon); }
  absl::StatusOr<model::TargetVector> Ask() final;
  absl::Duration AskAgainIn() final;
  absl::Duration RetryAfter() final;
  void Interrupt() final;
  [[nodiscard]] nlohmann::json DebugState() const final;

 protected:
  // `events`: which may change what List gives. Borrows the clock.
  DockerPoller(absl::StatusOr<DockerHost> host, Events events, const Clock& clock);

  // What there is now.
  virtual absl::StatusOr<std::vector<KeptTargets::Found>> List(DockerClient& client) = 0;

 private:
  // What an event announces may be in the lists only later, without another event: a container that
  // died, a task that will run. So they are asked for again, after twice as long each time.
  static constexpr int kMaxFollowUps = 6;
  static constexpr absl::Duration kFirstFollowUp = absl::Milliseconds(250);

  void OnEvent();
  // From the events of now on.
  absl::Status FollowEvents();

  const Events event_kinds_;
  const Clock& clock_;
  // Why there is no client: a host that is none.
  absl::Status host_status_;
  // Since the last Ask began.
  std::atomic<bool> event_ = false;
  // Asks since the last event.
  int asks_since_event_ = kMaxFollowUps;
  std::function<void()> ask_soon_;
  std::unique_ptr<DockerClient> client_;
  std::unique_ptr<DockerEvents> events_;
  KeptTargets targets_;
};

// discovery.docker: the containers that run.
class DockerContainers final : public DockerPoller {
 public:
  DockerContainers(const config::DiscoveryDocker& arguments, const Clock& clock);

 private:
  absl::StatusOr<std::vector<KeptTargets::Found>> List(DockerClient& client) override;

  const config::DiscoveryDocker arguments_;
};

// discovery.dockerswarm: the tasks, services or nodes of the swarm, as one of its managers has
// them.
class DockerSwarm final : public DockerPoller {
 public:
  DockerSwarm(const config::DiscoveryDockerSwarm& arguments, const Clock& clock);

 private:
  absl::StatusOr<std::vector<KeptTargets::Found>> List(DockerClient& client) override;

  const config::DiscoveryDockerSwarm arguments_;
};

}  // namespace stoker::discovery
