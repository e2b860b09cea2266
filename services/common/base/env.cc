#include "services/common/base/env.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "services/common/base/status.h"
#include "services/common/base/unique_fd.h"

namespace stoker {
namespace {

absl::Status Failed(const char* call, const std::string& path) {
  const int number = errno;
  const std::string context = fmt::format("{} {}", call, path);
  if (number == ENOSPC || number == EDQUOT) {
    return ResourceExhausted("{}: no space left", context);
  }
  return ErrnoError(number, context);
}

class SystemFile final : public File {
 public:
  SystemFile(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  absl::Status Append(std::string_view data) override {
    while (!data.empty()) {
      const ssize_t written = ::write(fd_.get(), data.data(), data.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return Failed("write", path_);
      data.remove_prefix(static_cast<std::size_t>(written));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::size_t> Read(std::uint64_t offset, std::size_t size, char* to) override {
    std::size_t done = 0;
    while (done < size) {
      const ssize_t got =
          ::pread(fd_.get(), to + done, size - done, static_cast<off_t>(offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return Failed("read", path_);
      if (got == 0) break;
      done += static_cast<std::size_t>(got);
    }
    return done;
  }

  absl::Status Sync() override {
    return ::fdatasync(fd_.get()) == 0 ? absl::OkStatus() : Failed("fdatasync", path_);
  }

  absl::StatusOr<std::uint64_t> Size() override {
    struct stat info{};
    if (::fstat(fd_.get(), &info) != 0) return Failed("stat", path_);
    return static_cast<std::uint64_t>(info.st_size);
  }

  absl::Status Allocate(std::uint64_t bytes) override {
    const int error = ::posix_fallocate(fd_.get(), 0, static_cast<off_t>(bytes));
    errno = error;
    return error == 0 ? absl::OkStatus() : Failed("allocate", path_);
  }

 private:
  const UniqueFd fd_;
  const std::string path_;
};

class SystemLock final : public FileLock {
 public:
  explicit SystemLock(UniqueFd fd) : fd_(std::move(fd)) {}

 private:
  const UniqueFd fd_;
};

absl::StatusOr<std::unique_ptr<File>> OpenFile(const std::string& path, int flags) {
  UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC, 0600));
  if (!fd.valid()) return Failed("open", path);
  return std::make_unique<SystemFile>(std::move(fd), path);
}

absl::Status MakeOneFolder(const std::string& folder) {
  if (::mkdir(folder.c_str(), 0700) == 0 || errno == EEXIST) return absl::OkStatus();
  return Failed("mkdir", folder);
}

}  // namespace

absl::StatusOr<std::unique_ptr<File>> SystemEnv::Create(const std::string& path) {
  return OpenFile(path, O_RDWR | O_CREAT | O_EXCL | O_APPEND);
}

absl::StatusOr<std::unique_ptr<File>> SystemEnv::OpenForRead(const std::string& path) {
  return OpenFile(path, O_RDONLY);
}

absl::Status SystemEnv::Rename(const std::string& from, const std::string& to) {
  return ::rename(from.c_str(), to.c_str()) == 0 ? absl::OkStatus() : Failed("rename", from);
}

absl::Status SystemEnv::Unlink(const std::string& path) {
  return ::unlink(path.c_str()) == 0 ? absl::OkStatus() : Failed("unlink", path);
}

absl::StatusOr<std::vector<std::string>> SystemEnv::List(const std::string& folder) {
  std::error_code error;
  std::vector<std::string> names;
  std::filesystem::directory_iterator it(folder, error);
  for (; !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    if (it->is_regular_file(error)) names.push_back(it->path().filename());
    error.clear();
  }
  if (error) return ErrnoError(error.value(), "list " + folder);
  std::sort(names.begin(), names.end());
  return names;
}

absl::Status SystemEnv::MakeFolder(const std::string& folder) {
  for (std::size_t slash = folder.find('/', 1); slash != std::string::npos;
       slash = folder.find('/', slash + 1)) {
    STOKER_RETURN_IF_ERROR(MakeOneFolder(folder.substr(0, slash)));
  }
  return MakeOneFolder(folder);
}

absl::Status SystemEnv::SyncFolder(const std::string& folder) {
  const UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return Failed("open", folder);
  return ::fsync(fd.get()) == 0 ? absl::OkStatus() : Failed("fsync", folder);
}

absl::StatusOr<std::unique_ptr<FileLock>> SystemEnv::Lock(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd.valid()) return Failed("open", path);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return std::make_unique<SystemLock>(std::move(fd));
  if (errno == EWOULDBLOCK) return Unavailable("{} is locked by another process", path);
  return Failed("flock", path);
}

absl::StatusOr<std::uint64_t> SystemEnv::FreeBytes(const std::string& folder) {
  struct statvfs info{};
  if (::statvfs(folder.c_str(), &info) != 0) return Failed("statvfs", folder);
  return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
}

}  // namespace stoker
