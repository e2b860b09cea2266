#include "services/store/storage_flags.h"

#include <charconv>
#include <string>

#include "services/common/base/status.h"

namespace stoker::store {
namespace {

absl::StatusOr<std::uint64_t> Bytes(const runtime::Options& options, const std::string& flag) {
  const std::string& text = options.flags.at(flag);
  std::uint64_t bytes = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bytes);
  if (error != std::errc() || end != text.data() + text.size()) {
    return InvalidArgument("--{}: \"{}\" is no number of bytes", flag, text);
  }
  return bytes;
}

absl::StatusOr<absl::Duration> Duration(const runtime::Options& options, const std::string& flag) {
  const std::string& text = options.flags.at(flag);
  absl::Duration duration;
  if (!absl::ParseDuration(text, &duration) || duration < absl::ZeroDuration()) {
    return InvalidArgument("--{}: \"{}\" is no duration such as 336h", flag, text);
  }
  return duration;
}

}  // namespace

std::vector<runtime::ServiceInfo::Flag> StorageFlags() {
  return {
      {"store.max-age", "336h", "Profiles older than this are dropped; 0 keeps them."},
      {"store.max-bytes", "21474836480",
       "Past so many bytes on disk the oldest are dropped; 0 for no limit."},
      {"store.max-log-bytes", "67108864",
       "The newest profiles become a block when their log is this large."},
      {"store.maintenance-interval", "1s",
       "How often a full head becomes blocks, blocks are merged, and what came is synced to disk."},
      {"store.reject-older-than", "24h", "Profiles older than this are refused when they come."},
  };
}

absl::StatusOr<StorageOptions> ReadStorageFlags(const runtime::Options& options) {
  StorageOptions storage = {.dir = options.data_dir};
  STOKER_ASSIGN_OR_RETURN(storage.max_age, Duration(options, "store.max-age"));
  STOKER_ASSIGN_OR_RETURN(storage.max_block_bytes, Bytes(options, "store.max-bytes"));
  STOKER_ASSIGN_OR_RETURN(storage.max_log_bytes, Bytes(options, "store.max-log-bytes"));
  STOKER_ASSIGN_OR_RETURN(storage.limits.reject_older_than,
                          Duration(options, "store.reject-older-than"));
  return storage;
}

absl::StatusOr<absl::Duration> ReadMaintenanceInterval(const runtime::Options& options) {
  STOKER_ASSIGN_OR_RETURN(const absl::Duration interval,
                          Duration(options, "store.maintenance-interval"));
  if (interval > absl::ZeroDuration()) return interval;
  return InvalidArgument("--store.maintenance-interval must be more than 0");
}

}  // namespace stoker::store
