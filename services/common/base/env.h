#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

namespace stoker {

// A file that is only ever appended to.
class File {
 public:
  virtual ~File() = default;

  // Writes all of `data` at the end. After an error any part of it may be there.
  virtual absl::Status Append(std::string_view data) = 0;
  // Reads up to `size` bytes at `offset`; returns how many. Fewer only at the end of the file.
  virtual absl::StatusOr<std::size_t> Read(std::uint64_t offset, std::size_t size, char* to) = 0;
  // Returns when what was appended survives a power cut (fdatasync). After an error nothing is
  // known of it, and a second call proves nothing.
  virtual absl::Status Sync() = 0;
  [[nodiscard]] virtual absl::StatusOr<std::uint64_t> Size() = 0;
  // Takes disk space for `bytes` from the start (fallocate), the size grows with it.
  virtual absl::Status Allocate(std::uint64_t bytes) = 0;
};

// Holds a lock until destroyed.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

// The file system, as far as a durable store needs it. A test gives one in memory that fails and
// loses power at will. Errors name the path; no space left is RESOURCE_EXHAUSTED. Thread-safe; one
// File belongs to one writer and any number of readers.
class Env {
 public:
  virtual ~Env() = default;

  // A new, empty file for appending and reading, mode 0600. ALREADY_EXISTS where there is one.
  virtual absl::StatusOr<std::unique_ptr<File>> Create(const std::string& path) = 0;
  virtual absl::StatusOr<std::unique_ptr<File>> OpenForRead(const std::string& path) = 0;
  // Replaces `to`.
  virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;
  virtual absl::Status Unlink(const std::string& path) = 0;
  // Names of the regular files in a folder, sorted.
  virtual absl::StatusOr<std::vector<std::string>> List(const std::string& folder) = 0;
  // With its parents, mode 0700; one that is there is fine.
  virtual absl::Status MakeFolder(const std::string& folder) = 0;
  // Makes creations, renames and removals in `folder` survive a power cut.
  virtual absl::Status SyncFolder(const std::string& folder) = 0;
  // Takes an exclusive lock on a file, made if need be (flock). UNAVAILABLE when another holds it.
  virtual absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) = 0;
  // What an unprivileged writer may still fill on the folder's file system.
  virtual absl::StatusOr<std::uint64_t> FreeBytes(const std::string& folder) = 0;
};

// The machine's.
class SystemEnv final : public Env {
 public:
  absl::StatusOr<std::unique_ptr<File>> Create(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<File>> OpenForRead(const std::string& path) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status Unlink(const std::string& path) override;
  absl::StatusOr<std::vector<std::string>> List(const std::string& folder) override;
  absl::Status MakeFolder(const std::string& folder) override;
  absl::Status SyncFolder(const std::string& folder) override;
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) override;
  absl::StatusOr<std::uint64_t> FreeBytes(const std::string& folder) override;
};

}  // namespace stoker
