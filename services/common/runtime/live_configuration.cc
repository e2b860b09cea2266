#include "services/common/runtime/live_configuration.h"

#include <utility>

#include "services/common/base/status.h"
#include "services/common/config/snapshot.h"
#include "services/common/log/log.h"

namespace stoker::runtime {
namespace {

constexpr std::size_t kMaxSnapshotBytes = std::size_t{64} << 20;

// A configuration with the environment that it borrows.
struct Loaded {
  std::unique_ptr<const config::Environment> environment;
  ConfigurationPtr configuration;
};

absl::StatusOr<ConfigurationPtr> LoadSnapshot(const std::string& path,
                                              const config::Environment& machine,
                                              const config::LoadOptions& options) {
  STOKER_ASSIGN_OR_RETURN(const std::string text, machine.ReadFile(path, kMaxSnapshotBytes));
  absl::StatusOr<config::Snapshot> snapshot = config::ParseSnapshot(text);
  if (!snapshot.ok()) return WithContext(snapshot.status(), path);
  auto environment = std::make_unique<config::SnapshotEnvironment>(*std::move(snapshot), machine);
  STOKER_ASSIGN_OR_RETURN(ConfigurationPtr configuration,
                          config::Configuration::Load(environment->path(), *environment, options));
  const auto loaded =
      std::make_shared<const Loaded>(Loaded{std::move(environment), std::move(configuration)});
  return ConfigurationPtr(loaded, loaded->configuration.get());
}

}  // namespace

LiveConfiguration::LiveConfiguration(std::string path, const config::Environment& machine,
                                     Clock& clock, Events events)
    : path_(std::move(path)),
      machine_(machine),
      events_(std::move(events)),
      contents_(machine, clock,
                {.changed = [this] { OnContentsChanged(); }, .health = events_.health}) {}

absl::Status LiveConfiguration::Start(ConfigurationSink sink) {
  STOKER_ASSIGN_OR_RETURN(ConfigurationPtr configuration, Load(true));
  for (const std::string& warning : configuration->warnings()) {
    log::Warn("configuration", {{"warning", warning}});
  }
  absl::MutexLock lock(&mutex_);
  sink_ = std::move(sink);
  return HandOver(std::move(configuration));
}

absl::Status LiveConfiguration::Reload() {
  STOKER_ASSIGN_OR_RETURN(ConfigurationPtr configuration, Load(false));
  absl::MutexLock lock(&mutex_);
  return HandOver(std::move(configuration));
}

void LiveConfiguration::Stop() {
  absl::MutexLock lock(&mutex_);
  sink_ = nullptr;
}

absl::StatusOr<ConfigurationPtr> LiveConfiguration::Load(bool check_values) {
  const config::LoadOptions options{.check_values = check_values, .contents = &contents_};
  if (path_.ends_with(config::kSnapshotSuffix)) return LoadSnapshot(path_, machine_, options);
  return config::Configuration::Load(path_, machine_, options);
}

absl::Status LiveConfiguration::HandOver(ConfigurationPtr configuration) {
  if (sink_ == nullptr) return Unavailable("the process stops");
  STOKER_RETURN_IF_ERROR(sink_(configuration));
  current_ = std::move(configuration);
  contents_.ForgetUnused();
  events_.hash(current_->hash());
  return absl::OkStatus();
}

void LiveConfiguration::OnContentsChanged() {
  absl::MutexLock lock(&mutex_);
  // Stopped: what is in force may be gone already.
  if (sink_ == nullptr || current_ == nullptr) return;
  if (const absl::Status status = HandOver(current_); !status.ok()) {
    log::Error("a change of contents was not taken over", {{"error", status}});
  }
}

}  // namespace stoker::runtime
