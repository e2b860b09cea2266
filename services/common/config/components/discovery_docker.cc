#include "services/common/config/components/discovery_docker.h"

#include "services/common/base/status.h"
#include "services/common/config/components/schemas.h"

namespace stoker::config {
namespace {

const Schema& FilterSchema() {
  static const Schema* const schema =
      SchemaBuilder<DockerFilter>()
          .Required("name", &DockerFilter::name, "Filter name to use.")
          .Required("values", &DockerFilter::values, "Values to pass to the filter.")
          .Build();
  return *schema;
}

template <typename Config>
absl::Status ValidateDaemon(const Config& config) {
  if (config.refresh_interval <= absl::ZeroDuration()) {
    return InvalidArgument("refresh_interval must be greater than 0");
  }
  for (const char* scheme : {"unix://", "tcp://", "http://", "https://"}) {
    if (config.host.starts_with(scheme)) return absl::OkStatus();
  }
  return InvalidArgument("'host' must begin with unix://, tcp://, http:// or https://");
}

}  // namespace

const Schema& DiscoveryDockerSchema() {
  using Config = DiscoveryDocker;
  static const Schema* const schema =
      SchemaBuilder<Config>()
          .Required("host", &Config::host, "Address of the Docker Daemon to connect to.")
          .Optional("port", &Config::port,
                    "Port to use for collecting profiles from containers without a port.")
          .Optional("host_networking_host", &Config::host_networking_host,
                    "Host to use if the container is in host networking mode.")
          .Optional("refresh_interval", &Config::refresh_interval,
                    "Frequency to refresh list of containers.")
          .Optional("match_first_network", &Config::match_first_network,
                    "Use the first of a container's networks only.")
          .Squash(&Config::client, HttpClientConfigSchema())
          .Blocks("filter", &Config::filters, FilterSchema(), "Filters discoverable resources.")
          .Validate(ValidateDaemon<Config>)
          .Build();
  return *schema;
}

const Schema& DiscoveryDockerSwarmSchema() {
  using Config = DiscoveryDockerSwarm;
  using Role = Config::Role;
  static const Schema* const schema =
      SchemaBuilder<Config>()
          .Required("host", &Config::host, "Address of the Docker daemon.")
          .RequiredChoice(
              "role", &Config::role,
              {{"tasks", Role::kTasks}, {"services", Role::kServices}, {"nodes", Role::kNodes}},
              "Role of the targets to retrieve: services, tasks or nodes.")
          .Optional("port", &Config::port,
                    "The port to collect profiles from, when there is no published one.")
          .Optional("refresh_interval", &Config::refresh_interval,
                    "Interval at which to refresh the list of targets.")
          .Squash(&Config::client, HttpClientConfigSchema())
          .Blocks("filter", &Config::filters, FilterSchema(),
                  "Optional filters to limit the discovery process to a subset of resources.")
          .Validate(ValidateDaemon<Config>)
          .Build();
  return *schema;
}

}  // namespace stoker::config
