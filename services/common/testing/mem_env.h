#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <absl/synchronization/mutex.h>

#include "services/common/base/env.h"
#include "services/common/base/random.h"

namespace stoker::testing {

// A file system in memory that loses power and fails on demand. What was not synced may survive a
// power cut or not: any part of it, in blocks of 4 KiB, the last one torn. Thread-safe.
class MemEnv final : public Env {
 public:
  MemEnv() = default;

  // The file system as it might be found after a power cut now. The original goes on.
  std::unique_ptr<MemEnv> CrashClone(Random& random) const;

  // Lets call number `call` from now (the first is 0) fail: an Append after part of its data, a
  // Sync for good, so that a later one says OK and syncs nothing.
  void FailCall(std::uint64_t call, absl::Status status);
  // Calls so far that could have failed.
  [[nodiscard]] std::uint64_t calls() const;

  // Bytes that fit in all.
  void SetCapacity(std::uint64_t bytes);

  [[nodiscard]] std::string Contents(const std::string& path) const;
  // Durable at once.
  void SetContents(const std::string& path, std::string contents);
  [[nodiscard]] std::vector<std::string> Paths() const;
  [[nodiscard]] std::uint64_t UsedBytes() const;

  absl::StatusOr<std::unique_ptr<File>> Create(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<File>> OpenForRead(const std::string& path) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status Unlink(const std::string& path) override;
  absl::StatusOr<std::vector<std::string>> List(const std::string& folder) override;
  absl::Status MakeFolder(const std::string& folder) override;
  absl::Status SyncFolder(const std::string& folder) override;
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) override;
  absl::StatusOr<std::uint64_t> FreeBytes(const std::string& folder) override;

 private:
  friend class MemFile;
  friend class MemLock;
  struct Node {
    std::string contents;
    std::size_t durable = 0;
    bool sync_failed = false;
  };
  using Names = std::map<std::string, std::shared_ptr<Node>>;

  absl::Status Call() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::uint64_t Used() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  absl::Status Append(Node& node, std::string_view data);
  absl::Status Sync(Node& node);

  mutable absl::Mutex mutex_;
  Names names_ ABSL_GUARDED_BY(mutex_);
  Names durable_names_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> locks_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t capacity_ ABSL_GUARDED_BY(mutex_) = std::uint64_t{1} << 40;
  std::uint64_t calls_ ABSL_GUARDED_BY(mutex_) = 0;
  std::optional<std::uint64_t> failing_call_ ABSL_GUARDED_BY(mutex_);
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace stoker::testing
