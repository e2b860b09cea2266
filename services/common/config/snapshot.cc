#include "services/common/config/snapshot.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "services/common/base/status.h"

namespace stoker::config {
namespace {

constexpr int kVersion = 1;

}  // namespace

std::string SerializeSnapshot(const Snapshot& snapshot) {
  const nlohmann::json json = {{"version", kVersion},
                               {"path", snapshot.path},
                               {"files", snapshot.files},
                               {"folders", snapshot.folders}};
  return json.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

absl::StatusOr<Snapshot> ParseSnapshot(std::string_view text) {
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object() || json.value("version", nlohmann::json()) != kVersion) {
    return InvalidArgument("not a snapshot of a configuration, of version {}", kVersion);
  }
  try {
    return Snapshot{
        .path = json.at("path"), .files = json.at("files"), .folders = json.at("folders")};
  } catch (const nlohmann::json::exception& error) {
    return InvalidArgument("not a snapshot of a configuration: {}", error.what());
  }
}

absl::StatusOr<std::string> RecordingEnvironment::ReadFile(const std::string& path,
                                                           std::size_t max_bytes) const {
  {
    // A file that is used twice is the same twice.
    absl::MutexLock lock(&mutex_);
    const auto known = snapshot_.files.find(path);
    if (known != snapshot_.files.end()) return known->second;
  }
  STOKER_ASSIGN_OR_RETURN(std::string text, machine_.ReadFile(path, max_bytes));
  absl::MutexLock lock(&mutex_);
  return snapshot_.files.emplace(path, std::move(text)).first->second;
}

absl::StatusOr<std::vector<std::string>> RecordingEnvironment::ListFolder(
    const std::string& folder) const {
  STOKER_ASSIGN_OR_RETURN(std::vector<std::string> files, machine_.ListFolder(folder));
  absl::MutexLock lock(&mutex_);
  return snapshot_.folders[folder] = std::move(files);
}

Snapshot RecordingEnvironment::Take(const std::string& path) const {
  absl::MutexLock lock(&mutex_);
  Snapshot snapshot = snapshot_;
  snapshot.path = path;
  return snapshot;
}

absl::StatusOr<std::string> SnapshotEnvironment::ReadFile(const std::string& path,
                                                          std::size_t max_bytes) const {
  const auto file = snapshot_.files.find(path);
  if (file == snapshot_.files.end()) return NotFound("{}: not in the snapshot", path);
  if (file->second.size() > max_bytes) {
    return ResourceExhausted("{}: more than {} bytes", path, max_bytes);
  }
  return file->second;
}

absl::StatusOr<std::vector<std::string>> SnapshotEnvironment::ListFolder(
    const std::string& folder) const {
  const auto listed = snapshot_.folders.find(folder);
  if (listed == snapshot_.folders.end()) return NotFound("{}: not a folder", folder);
  return listed->second;
}

}  // namespace stoker::config
