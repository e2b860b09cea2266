#include "services/common/http/file_cache.h"

#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

#include "services/common/base/status.h"
#include "services/common/base/unique_fd.h"

namespace stoker::http {
namespace {

constexpr off_t kMaxBytes = 1 << 20;

bool SameFile(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_size == b.st_size &&
         a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec &&
         a.st_ctim.tv_sec == b.st_ctim.tv_sec && a.st_ctim.tv_nsec == b.st_ctim.tv_nsec;
}

}  // namespace

absl::StatusOr<std::string> FileCache::Read(const std::string& path) {
  struct stat now{};
  if (stat(path.c_str(), &now) != 0) return ErrnoError(errno, "read " + path);
  Entry& entry = entries_[path];
  if (SameFile(entry.stat, now)) return entry.content;
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid() || fstat(fd.get(), &now) != 0) return ErrnoError(errno, "read " + path);
  if (!S_ISREG(now.st_mode) || now.st_size > kMaxBytes) {
    return InvalidArgument("read {}: not a regular file of at most {} bytes", path, kMaxBytes);
  }
  std::string content;
  char buffer[4096];
  ssize_t size = 0;
  while ((size = read(fd.get(), buffer, sizeof buffer)) > 0 &&
         static_cast<off_t>(content.size()) <= kMaxBytes) {
    content.append(buffer, static_cast<std::size_t>(size));
  }
  if (size < 0) return ErrnoError(errno, "read " + path);
  entry = {now, content};
  return content;
}

absl::StatusOr<std::string> FileCache::ReadTrimmed(const std::string& path) {
  STOKER_ASSIGN_OR_RETURN(const std::string content, Read(path));
  constexpr char kSpace[] = " \t\r\n\v\f";
  const std::size_t first = content.find_first_not_of(kSpace);
  if (first == std::string::npos) return "";
  return content.substr(first, content.find_last_not_of(kSpace) - first + 1);
}

}  // namespace stoker::http
