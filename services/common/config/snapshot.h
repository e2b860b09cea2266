#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>

#include "services/common/config/environment.h"

namespace stoker::config {

// The texts that a configuration was made of when it was checked: its files and those that it
// imports. `stoker run` checks a configuration once and hands its snapshot to the processes, so
// that what was checked is what runs, whatever happens to the files meanwhile.
struct Snapshot {
  // What is loaded: a file or a folder.
  std::string path;
  std::map<std::string, std::string> files;
  // The *.alloy files of each folder that was listed.
  std::map<std::string, std::vector<std::string>> folders;
  bool operator==(const Snapshot&) const = default;
};

// A file of this name holds a snapshot, and is no file in the Alloy language.
inline constexpr std::string_view kSnapshotSuffix = ".snapshot";

std::string SerializeSnapshot(const Snapshot& snapshot);
// INVALID_ARGUMENT for what is none.
absl::StatusOr<Snapshot> ParseSnapshot(std::string_view text);

// Another environment that keeps what is read through it. Borrows it. Thread-safe.
class RecordingEnvironment final : public Environment {
 public:
  explicit RecordingEnvironment(const Environment& machine) : machine_(machine) {}

  [[nodiscard]] std::string Variable(const std::string& name) const override {
    return machine_.Variable(name);
  }
  [[nodiscard]] std::string Hostname() const override { return machine_.Hostname(); }
  [[nodiscard]] absl::StatusOr<std::string> ReadFile(const std::string& path,
                                                     std::size_t max_bytes) const override;
  [[nodiscard]] absl::StatusOr<std::vector<std::string>> ListFolder(
      const std::string& folder) const override;

  // What has been read, with the path that was asked to be loaded.
  [[nodiscard]] Snapshot Take(const std::string& path) const;

 private:
  const Environment& machine_;
  mutable absl::Mutex mutex_;
  mutable Snapshot snapshot_ ABSL_GUARDED_BY(mutex_);
};

// The files of a snapshot, and no other; the rest is the machine's. Borrows the machine.
class SnapshotEnvironment final : public Environment {
 public:
  SnapshotEnvironment(Snapshot snapshot, const Environment& machine)
      : snapshot_(std::move(snapshot)), machine_(machine) {}

  [[nodiscard]] std::string Variable(const std::string& name) const override {
    return machine_.Variable(name);
  }
  [[nodiscard]] std::string Hostname() const override { return machine_.Hostname(); }
  [[nodiscard]] absl::StatusOr<std::string> ReadFile(const std::string& path,
                                                     std::size_t max_bytes) const override;
  [[nodiscard]] absl::StatusOr<std::vector<std::string>> ListFolder(
      const std::string& folder) const override;

  [[nodiscard]] const std::string& path() const { return snapshot_.path; }

 private:
  const Snapshot snapshot_;
  const Environment& machine_;
};

}  // namespace stoker::config
