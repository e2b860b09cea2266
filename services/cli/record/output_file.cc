#include "services/cli/record/output_file.h"

#include <cerrno>
#include <cstdio>
#include <filesystem>

#include <fcntl.h>
#include <unistd.h>

#include "services/cli/record/command.h"
#include "services/common/base/status.h"
#include "services/common/base/unique_fd.h"

namespace stoker::cli {
namespace {

namespace fs = std::filesystem;

constexpr char kStandardOutput[] = "-";

absl::Status WriteAll(int fd, const std::string& content, const std::string& path) {
  for (std::size_t done = 0; done < content.size();) {
    const ssize_t written = write(fd, content.data() + done, content.size() - done);
    if (written < 0) return ErrnoError(errno, "write " + path);
    done += static_cast<std::size_t>(written);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckOutputFile(const std::string& path) {
  if (path == kStandardOutput) return absl::OkStatus();
  const fs::path folder = fs::path(path).has_parent_path() ? fs::path(path).parent_path() : ".";
  if (access(folder.c_str(), W_OK | X_OK) != 0) {
    return ErrnoError(errno, "cannot write to " + folder.string());
  }
  return absl::OkStatus();
}

absl::Status WriteOutputFile(const std::string& path, const std::string& content) {
  if (path == kStandardOutput) return WriteAll(STDOUT_FILENO, content, "standard output");
  // A device or a pipe is written as it is.
  std::error_code error;
  if (fs::exists(path, error) && !fs::is_regular_file(path, error)) {
    const UniqueFd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd.valid()) return ErrnoError(errno, "open " + path);
    return WriteAll(fd.get(), content, path);
  }
  const std::string next = path + ".next";
  const UniqueFd fd(
      open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!fd.valid()) return ErrnoError(errno, "open " + next);
  absl::Status status = WriteAll(fd.get(), content, next);
  if (const auto invoker = InvokerOfSudo(); status.ok() && invoker.has_value()) {
    if (fchown(fd.get(), invoker->uid, invoker->gid) != 0) {
      status = ErrnoError(errno, "chown " + next);
    }
  }
  if (status.ok() && rename(next.c_str(), path.c_str()) != 0) {
    status = ErrnoError(errno, "rename " + next);
  }
  if (!status.ok()) unlink(next.c_str());
  return status;
}

}  // namespace stoker::cli
