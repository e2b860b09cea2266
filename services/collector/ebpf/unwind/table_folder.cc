#include "services/collector/ebpf/unwind/table_folder.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <limits>
#include <string_view>
#include <system_error>
#include <utility>

#include <absl/time/clock.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "services/common/base/status.h"
#include "services/common/base/unique_fd.h"

namespace stoker::ebpf::unwind {
namespace {

// Grows when the same file would become another table.
constexpr int kMakerVersion = 1;
constexpr std::string_view kSuffix = ".unwind";
constexpr std::string_view kUnfinished = ".unfinished";
// More than any linker writes; a name holds no more.
constexpr std::size_t kMaxBuildIdBytes = 64;

absl::Status CopyAll(int from, int to) {
  struct stat file{};
  if (fstat(from, &file) != 0) return ErrnoError(errno, "fstat");
  off_t at = 0;
  while (at < file.st_size) {
    const ssize_t copied = sendfile(to, from, &at, static_cast<std::size_t>(file.st_size - at));
    if (copied < 0 && errno == EINTR) continue;
    if (copied < 0) return ErrnoError(errno, "sendfile");
    if (copied == 0) return DataLoss("the table became shorter");
  }
  return absl::OkStatus();
}

}  // namespace

std::string TableFolder::NameOf(const symbol::v1::BinaryKey& key) {
  const std::string_view build_id = std::string_view(key.build_id()).substr(0, kMaxBuildIdBytes);
  std::string hex;
  for (const char byte : build_id) hex += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return fmt::format("{:x}-{:016x}-{}.v{}{}", key.size_bytes(), key.content_hash(), hex,
                     kMakerVersion, kSuffix);
}

absl::StatusOr<std::shared_ptr<const Table>> TableFolder::Open(const std::string& name) {
  Scan();
  const auto known = files_.find(name);
  if (known == files_.end()) return NotFound("{} is not there", name);
  const UniqueFd fd(open(PathOf(name).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid()) {
    Remove(name);
    return NotFound("{} cannot be opened", name);
  }
  auto table = Table::Open(fd.get());
  if (!table.ok()) {
    Remove(name);
    return NotFound("{} does not hold together: {}", name, Message(table.status()));
  }
  known->second.used = absl::ToUnixNanos(absl::Now());
  // For the next process; that it fails costs the order alone.
  futimens(fd.get(), nullptr);
  return table;
}

absl::Status TableFolder::Store(const std::string& name, int fd) {
  Scan();
  struct stat file{};
  if (fstat(fd, &file) != 0) return ErrnoError(errno, "fstat");
  const auto size = static_cast<std::uint64_t>(file.st_size);
  if (size > max_bytes_) return ResourceExhausted("{} bytes are more than all may take", size);
  MakeRoom(size);
  const std::string unfinished = PathOf(name) + std::string(kUnfinished);
  unlink(unfinished.c_str());
  const UniqueFd to(open(unfinished.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!to.valid()) return ErrnoError(errno, unfinished);
  absl::Status status = CopyAll(fd, to.get());
  if (status.ok() && rename(unfinished.c_str(), PathOf(name).c_str()) != 0) {
    status = ErrnoError(errno, "rename");
  }
  if (!status.ok()) {
    unlink(unfinished.c_str());
    return status;
  }
  File& stored = files_[name];
  bytes_ += size - stored.bytes;
  stored = {.bytes = size, .used = absl::ToUnixNanos(absl::Now())};
  return absl::OkStatus();
}

void TableFolder::Scan() {
  if (std::exchange(scanned_, true)) return;
  std::error_code error;
  std::filesystem::create_directories(path_, error);
  std::filesystem::permissions(path_, std::filesystem::perms::owner_all, error);
  for (std::filesystem::directory_iterator entry(path_, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename();
    struct stat file{};
    if (lstat(entry->path().c_str(), &file) != 0 || !S_ISREG(file.st_mode)) continue;
    if (name.ends_with(kUnfinished)) unlink(entry->path().c_str());
    if (!name.ends_with(kSuffix)) continue;
    const auto size = static_cast<std::uint64_t>(file.st_size);
    files_[name] = {.bytes = size, .used = absl::ToUnixNanos(absl::TimeFromTimespec(file.st_mtim))};
    bytes_ += size;
  }
  MakeRoom(0);
}

void TableFolder::Remove(const std::string& name) {
  const auto found = files_.find(name);
  if (found == files_.end()) return;
  unlink(PathOf(name).c_str());
  bytes_ -= found->second.bytes;
  files_.erase(found);
}

void TableFolder::MakeRoom(std::uint64_t bytes) {
  while (!files_.empty() && bytes_ + bytes > max_bytes_) {
    const auto oldest =
        std::ranges::min_element(files_, {}, [](const auto& file) { return file.second.used; });
    Remove(std::string(oldest->first));
    ++removed_;
  }
}

}  // namespace stoker::ebpf::unwind
