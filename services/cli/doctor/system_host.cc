#include "services/cli/doctor/system_host.h"

#include <cerrno>
#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/bpf.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "services/cli/configuration.h"
#include "services/common/base/status.h"
#include "services/common/base/unique_fd.h"

namespace stoker::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxFileBytes = std::size_t{1} << 20;
// Of processes looked through for the owner of a socket.
constexpr int kMaxProcesses = 100'000;

// `folder`, or the nearest one above it that exists.
fs::path Existing(fs::path folder) {
  std::error_code error;
  while (!fs::exists(folder, error) && folder.has_relative_path()) folder = folder.parent_path();
  return folder;
}

class SystemHost final : public Host {
 public:
  [[nodiscard]] std::string KernelRelease() const override {
    utsname name{};
    uname(&name);
    return name.release;
  }

  [[nodiscard]] absl::StatusOr<std::string> ReadFile(const std::string& path) const override {
    const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd.valid()) return ErrnoError(errno, path);
    std::string text;
    char part[4096];
    while (text.size() < kMaxFileBytes) {
      const ssize_t size = read(fd.get(), part, sizeof part);
      if (size < 0) return ErrnoError(errno, path);
      if (size == 0) break;
      text.append(part, static_cast<std::size_t>(size));
    }
    return text;
  }

  [[nodiscard]] absl::Status TryRingBuffer() const override {
    bpf_attr attributes{};
    attributes.map_type = BPF_MAP_TYPE_RINGBUF;
    attributes.max_entries = static_cast<__u32>(sysconf(_SC_PAGESIZE));
    const UniqueFd map(
        static_cast<int>(syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof attributes)));
    return map.valid() ? absl::OkStatus() : ErrnoError(errno, "bpf(BPF_MAP_CREATE)");
  }

  [[nodiscard]] absl::StatusOr<Space> DiskSpace(const std::string& folder) const override {
    struct statvfs space{};
    const fs::path at = Existing(folder);
    if (statvfs(at.c_str(), &space) != 0) return ErrnoError(errno, at.string());
    return Space{.free_bytes = space.f_bavail * space.f_frsize,
                 .total_bytes = space.f_blocks * space.f_frsize};
  }

  [[nodiscard]] absl::Status CheckWritable(const std::string& folder) const override {
    const fs::path at = Existing(folder);
    // A read-only file system refuses root as well.
    if (access(at.c_str(), W_OK | X_OK) != 0) return ErrnoError(errno, at.string());
    return absl::OkStatus();
  }

  [[nodiscard]] std::string SocketOwner(std::uint64_t inode) const override {
    const std::string wanted = fmt::format("socket:[{}]", inode);
    std::error_code error;
    int processes = 0;
    for (const auto& process : fs::directory_iterator("/proc", error)) {
      const std::string pid = process.path().filename();
      if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
      if (++processes > kMaxProcesses) break;
      std::error_code denied;
      for (const auto& fd : fs::directory_iterator(process.path() / "fd", denied)) {
        std::error_code gone;
        if (fs::read_symlink(fd.path(), gone) != wanted) continue;
        std::string name;
        std::ifstream file(process.path() / "comm");
        std::getline(file, name);
        return fmt::format("{}, pid {}", name, pid);
      }
    }
    return "";
  }

  [[nodiscard]] bool ClockSynchronized() const override {
    timex state{};
    return adjtimex(&state) >= 0 && (state.status & STA_UNSYNC) == 0;
  }

  [[nodiscard]] absl::Status CheckConfiguration(const std::string& path) const override {
    return cli::CheckConfiguration(path, config::MachineEnvironment(), true).status();
  }
};

}  // namespace

std::unique_ptr<Host> MakeSystemHost() { return std::make_unique<SystemHost>(); }

}  // namespace stoker::cli
