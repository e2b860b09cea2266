#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "services/common/metrics/registry.h"
#include "services/discovery/sources/directory_watcher.h"
#include "services/discovery/sources/kept_targets.h"
#include "services/discovery/sources/polled_source.h"
#include "services/discovery/sources/target_groups.h"

namespace stoker::discovery {

// discovery.file: files with target groups in JSON or YAML. A file that cannot be read or parsed
// keeps what it gave last.
class FilePoller final : public Poller {
 public:
  // Borrows the registry.
  FilePoller(const config::DiscoveryFile& arguments, std::string component_id,
             metrics::Registry& metrics);

  void OnStart(std::function<void()> ask_soon) override;
  absl::StatusOr<model::TargetVector> Ask() override;
  absl::Status Missing() override;
  // Files are read at once.
  void Interrupt() override {}

 private:
  // Which content of a file was read.
  struct Version {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::int64_t size = 0;
    std::int64_t modified_ns = 0;
    std::int64_t changed_ns = 0;
    bool operator==(const Version&) const = default;
  };
  struct File {
    Version version;
    // Of the last version that was good.
    std::vector<TargetGroup> groups;
    bool was_good = false;
    // Of the last version that was read.
    absl::Status status = absl::UnknownError("not read yet");
    // When it was written last.
    metrics::Registry::OwnedGauge modified;
  };

  [[nodiscard]] bool KnowsAny() const;
  // Reads the file, if it is another than it was.
  void Update(const std::string& path, File& file);
  static absl::StatusOr<std::vector<TargetGroup>> Read(const std::string& path, int fd);

  const config::DiscoveryFile arguments_;
  const std::string component_id_;
  metrics::Registry& metrics_;
  prometheus::Counter& read_errors_;
  prometheus::Counter& watch_errors_;
  std::unique_ptr<DirectoryWatcher> watcher_;
  // By path.
  std::map<std::string, File> files_;
  KeptTargets targets_;
};

}  // namespace stoker::discovery
