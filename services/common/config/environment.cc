#include "services/common/config/environment.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "services/common/base/status.h"
#include "services/common/base/unique_fd.h"

namespace stoker::config {
namespace {

class Machine final : public Environment {
 public:
  [[nodiscard]] std::string Variable(const std::string& name) const override {
    const char* value = std::getenv(name.c_str());
    return value == nullptr ? "" : value;
  }

  [[nodiscard]] std::string Hostname() const override {
    std::array<char, 256> name{};
    return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
  }

  [[nodiscard]] absl::StatusOr<std::string> ReadFile(const std::string& path,
                                                     std::size_t max_bytes) const override {
    // Opening a FIFO must not wait for its writer.
    const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file.valid()) return ErrnoError(errno, path);
    struct stat info{};
    if (fstat(file.get(), &info) != 0) return ErrnoError(errno, path);
    if (!S_ISREG(info.st_mode)) return InvalidArgument("{}: not a regular file", path);
    std::string text;
    std::array<char, 65536> buffer;
    while (text.size() <= max_bytes) {
      const ssize_t count = read(file.get(), buffer.data(), buffer.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return ErrnoError(errno, path);
      if (count == 0) return text;
      text.append(buffer.data(), static_cast<std::size_t>(count));
    }
    return ResourceExhausted("{}: more than {} bytes", path, max_bytes);
  }

  [[nodiscard]] absl::StatusOr<std::vector<std::string>> ListFolder(
      const std::string& folder) const override {
    std::error_code error;
    if (!std::filesystem::is_directory(folder, error)) return NotFound("{}: not a folder", folder);
    std::vector<std::string> paths;
    std::filesystem::directory_iterator entries(folder, error);
    if (error) return ErrnoError(error.value(), folder);
    for (const auto& entry : entries) {
      if (entry.path().extension() == ".alloy") paths.push_back(entry.path().string());
    }
    std::sort(paths.begin(), paths.end());
    return paths;
  }
};

}  // namespace

const Environment& MachineEnvironment() {
  static const Machine machine;
  return machine;
}

}  // namespace stoker::config
