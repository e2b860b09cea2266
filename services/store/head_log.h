#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "services/common/base/unique_fd.h"

namespace stoker::store {

// An append-only file of checksummed records: what the head must have again after a kill. A record
// is there in full or not at all. One writer; not thread-safe but for Sync.
class HeadLog {
 public:
  // Opens or makes `path`, hands each whole record to `replay` in order, and cuts off a last one
  // that was not finished. An error of `replay` ends it.
  static absl::StatusOr<std::unique_ptr<HeadLog>> Open(
      const std::string& path, const std::function<absl::Status(std::string_view)>& replay);

  // Returns when the record is in the kernel's hands: it survives the process, and from the next
  // Sync on the machine. On an error nothing of it stays.
  absl::Status Append(std::string_view record);

  // fdatasync. May run beside Append.
  absl::Status Sync() const;

  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  HeadLog(std::string path, UniqueFd fd, std::uint64_t size)
      : path_(std::move(path)), fd_(std::move(fd)), size_(size) {}

  std::string path_;
  UniqueFd fd_;
  std::uint64_t size_;
};

}  // namespace stoker::store
