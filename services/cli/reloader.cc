#include "services/cli/reloader.h"

#include <algorithm>
#include <utility>

#include "services/cli/process_table.h"
#include "services/common/base/status.h"
#include "services/common/log/log.h"

namespace stoker::cli {

Reloader::Reloader(Parts parts, std::vector<std::string> processes, bool with_store,
                   const CheckedConfiguration& configuration, const Clock& clock)
    : parts_(std::move(parts)),
      processes_(std::move(processes)),
      with_store_(with_store),
      types_(configuration.types),
      docker_sockets_(configuration.docker_sockets),
      clock_(clock),
      hash_(configuration.hash),
      last_at_(clock.Now()) {
  for (const std::string& socket : docker_sockets_) {
    if (const auto group = parts_.socket_group(socket)) groups_.insert(*group);
  }
}

Reloader::~Reloader() {
  if (background_.joinable()) background_.join();
}

absl::Status Reloader::Reload() {
  absl::MutexLock one(&reloading_);
  absl::Status status = Bring();
  if (status.ok()) {
    log::Info("configuration reloaded");
  } else {
    log::Error("configuration not reloaded", {{"error", status}});
  }
  absl::MutexLock lock(&mutex_);
  last_ = status;
  last_at_ = clock_.Now();
  return status;
}

absl::Status Reloader::Bring() {
  STOKER_ASSIGN_OR_RETURN(const CheckedConfiguration configuration, parts_.check());
  STOKER_RETURN_IF_ERROR(CheckProcesses(configuration.types));
  STOKER_RETURN_IF_ERROR(CheckSockets(configuration.docker_sockets));
  STOKER_RETURN_IF_ERROR(parts_.write(configuration.snapshot));
  {
    absl::MutexLock lock(&mutex_);
    hash_ = configuration.hash;
  }
  absl::Status status;
  for (const std::string& process : processes_) {
    const absl::Status told = parts_.tell(process);
    if (!told.ok() && status.ok()) status = WithContext(told, process);
  }
  return status;
}

absl::Status Reloader::CheckProcesses(const std::vector<std::string>& types) const {
  for (const std::string_view needed : ProcessesFor(types, with_store_)) {
    const auto spec = std::ranges::find(ProcessTable(), needed, &ProcessSpec::name);
    if (std::ranges::find(processes_, needed) == processes_.end()) {
      return FailedPrecondition(
          "the configuration needs stoker-{}, which does not run; start `stoker run` again",
          needed);
    }
    if (CapabilitiesOf(*spec, types).size() > CapabilitiesOf(*spec, types_).size()) {
      return FailedPrecondition(
          "the configuration needs stoker-{} with other capabilities; start `stoker run` again",
          needed);
    }
  }
  return absl::OkStatus();
}

absl::Status Reloader::CheckSockets(const std::vector<std::string>& sockets) const {
  for (const std::string& socket : sockets) {
    if (std::ranges::find(docker_sockets_, socket) != docker_sockets_.end()) continue;
    const std::optional<gid_t> group = parts_.socket_group(socket);
    if (group && !groups_.contains(*group)) {
      return FailedPrecondition(
          "the configuration needs stoker-discovery in group {}, for the socket {}; start `stoker "
          "run` again",
          *group, socket);
    }
  }
  return absl::OkStatus();
}

void Reloader::ReloadInBackground() {
  if (background_.joinable()) background_.join();
  background_ = std::thread([this] { [[maybe_unused]] const absl::Status logged = Reload(); });
}

nlohmann::json Reloader::State() const {
  absl::MutexLock lock(&mutex_);
  return {{"hash", hash_},
          {"last_load_successful", last_.ok()},
          {"last_load_at", absl::FormatTime(absl::RFC3339_sec, last_at_, absl::UTCTimeZone())},
          {"last_load_error", Message(last_)}};
}

}  // namespace stoker::cli
