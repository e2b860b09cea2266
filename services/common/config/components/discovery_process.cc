#include "services/common/config/components/discovery_process.h"

#include "services/common/base/status.h"
#include "services/common/config/components/schemas.h"

namespace stoker::config {
namespace {

using Config = DiscoveryProcess;

const Schema& DiscoverConfigSchema() {
  static const Schema* const schema =
      SchemaBuilder<Config>()
          .Optional("exe", &Config::exe, "Sets __meta_process_exe, the path of the executable.")
          .Optional("cwd", &Config::cwd, "Sets __meta_process_cwd, the working directory.")
          .Optional("commandline", &Config::commandline,
                    "Sets __meta_process_commandline, the arguments joined by blanks.")
          .Optional("container_id", &Config::container_id,
                    "Sets __container_id__, taken from the process' cgroups.")
          .Optional("cgroup_path", &Config::cgroup_path,
                    "Sets __meta_process_cgroup_path, the lines of /proc/PID/cgroup joined by a "
                    "vertical bar.")
          .Optional("username", &Config::username, "Sets __meta_process_username.")
          .Optional("uid", &Config::uid, "Sets __meta_process_uid.")
          .Build();
  return *schema;
}

}  // namespace

const Schema& DiscoveryProcessSchema() {
  static const Schema* const schema =
      SchemaBuilder<Config>()
          .Targets("join", false, "Targets to join to the discovered processes by container id.")
          .Optional("refresh_interval", &Config::refresh_interval,
                    "How often to look for processes.")
          .Section("discover_config", DiscoverConfigSchema(),
                   "Which metadata of processes to discover.")
          .Validate([](const Config& config) {
            if (config.refresh_interval > absl::ZeroDuration()) return absl::OkStatus();
            return InvalidArgument("refresh_interval must be greater than 0");
          })
          .Build();
  return *schema;
}

}  // namespace stoker::config
