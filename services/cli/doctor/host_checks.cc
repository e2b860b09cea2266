#include "services/cli/doctor/host_checks.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <optional>
#include <sstream>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "services/cli/capabilities.h"
#include "services/cli/process_table.h"
#include "services/common/base/status.h"

namespace stoker::cli {
namespace {

using Level = Check::Level;

constexpr char kRunAsRoot[] = "run it as root: sudo stoker …";
constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;
// Below it the store and the spool soon refuse what comes.
constexpr std::uint64_t kLittleSpace = kGiB;
constexpr std::uint64_t kNoSpace = std::uint64_t{64} << 20;
// What the collector locked into memory before Linux 5.11 counted it elsewhere.
constexpr std::uint64_t kMemlock = std::uint64_t{64} << 20;

struct KernelVersion {
  int major = 0;
  int minor = 0;
  auto operator<=>(const KernelVersion&) const = default;
};

// Zero for a release that is none.
KernelVersion VersionOf(const Host& host) {
  KernelVersion version;
  std::sscanf(host.KernelRelease().c_str(), "%d.%d", &version.major, &version.minor);
  return version;
}

std::optional<int> ReadNumber(const Host& host, const std::string& path) {
  const auto text = host.ReadFile(path);
  if (!text.ok()) return std::nullopt;
  int number = 0;
  if (std::sscanf(text->c_str(), "%d", &number) != 1) return std::nullopt;
  return number;
}

std::vector<std::string> Missing(const Host& host) {
  const auto spec = std::ranges::find(ProcessTable(), "ebpf-collector", &ProcessSpec::name);
  return MissingCapabilities(host.ReadFile("/proc/self/status").value_or(""), spec->capabilities);
}

bool Holds(const Host& host, std::string_view capability) {
  const std::vector<std::string> missing = Missing(host);
  return std::ranges::find(missing, capability) == missing.end();
}

// The inode of the socket that listens on `port`, by /proc/net/tcp or tcp6. Source: proc(5).
std::optional<std::uint64_t> ListenerOf(const Host& host, int port) {
  constexpr std::string_view kListening = "0A";
  const std::string wanted = fmt::format(":{:04X}", port);
  for (const char* path : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::istringstream lines(host.ReadFile(path).value_or(""));
    for (std::string line; std::getline(lines, line);) {
      std::istringstream columns(line);
      std::vector<std::string> fields;
      for (std::string field; columns >> field;) fields.push_back(field);
      if (fields.size() < 10 || fields[3] != kListening || !fields[1].ends_with(wanted)) continue;
      std::uint64_t inode = 0;
      std::from_chars(fields[9].data(), fields[9].data() + fields[9].size(), inode);
      return inode;
    }
  }
  return std::nullopt;
}

}  // namespace

Check CheckKernel(const Host& host) {
  const std::string release = host.KernelRelease();
  if (const KernelVersion version = VersionOf(host);
      version.major != 0 && version < KernelVersion{5, 15}) {
    return {"kernel", Level::kError, "the kernel is too old",
            fmt::format("Linux {}; sampling stacks needs 5.15", release),
            "install a newer kernel, on Debian 11 that of backports"};
  }
  return {"kernel", Level::kOk, "kernel", "Linux " + release, ""};
}

Check CheckBtf(const Host& host) {
  const auto btf = host.ReadFile("/sys/kernel/btf/vmlinux");
  if (btf.ok() && !btf->empty())
    return {"btf", Level::kOk, "kernel type information (BTF)", "", ""};
  return {"btf", Level::kError, "the kernel has no type information (BTF)",
          btf.ok() ? "/sys/kernel/btf/vmlinux is empty" : std::string(Message(btf.status())),
          "use a kernel built with CONFIG_DEBUG_INFO_BTF=y (distributions' are); in a container "
          "mount the host's /sys"};
}

Check CheckCapabilities(const Host& host) {
  const std::vector<std::string> missing = Missing(host);
  if (missing.empty()) return {"capabilities", Level::kOk, "capabilities to sample", "", ""};
  return {"capabilities", Level::kError, "not permitted to sample stacks",
          fmt::format("missing: {}", fmt::join(missing, ", ")),
          fmt::format("{}; in a container grant these capabilities (--cap-add, securityContext)",
                      kRunAsRoot)};
}

Check CheckPerfEventParanoid(const Host& host) {
  const auto paranoid = ReadNumber(host, "/proc/sys/kernel/perf_event_paranoid");
  const std::string detail =
      paranoid.has_value() ? fmt::format("kernel.perf_event_paranoid = {}", *paranoid) : "unknown";
  if (paranoid.value_or(0) >= 0 && !Holds(host, "CAP_PERFMON")) {
    return {"perf_event_paranoid", Level::kWarning, "the kernel refuses perf events of all CPUs",
            detail + ", and CAP_PERFMON is missing",
            std::string(kRunAsRoot) + "; with CAP_PERFMON this setting does not matter"};
  }
  return {"perf_event_paranoid", Level::kOk, "perf events", detail, ""};
}

Check CheckKptrRestrict(const Host& host) {
  const int restrict = ReadNumber(host, "/proc/sys/kernel/kptr_restrict").value_or(0);
  const std::string detail = fmt::format("kernel.kptr_restrict = {}", restrict);
  constexpr char kNoNames[] = "frames of the kernel have no names";
  if (restrict >= 2) {
    return {"kptr_restrict", Level::kWarning, kNoNames, detail, "sysctl kernel.kptr_restrict=1"};
  }
  if (restrict == 1 && !Holds(host, "CAP_SYSLOG")) {
    return {"syslog", Level::kWarning, kNoNames, detail + ", and CAP_SYSLOG is missing",
            "grant CAP_SYSLOG, or run it as root"};
  }
  return {"kptr_restrict", Level::kOk, "names of the kernel's functions", detail, ""};
}

Check CheckMemlock(const Host& host) {
  const KernelVersion version = VersionOf(host);
  if (version.major == 0 || version >= KernelVersion{5, 11}) {
    return {"memlock", Level::kOk, "memory for BPF", "counted by cgroup", ""};
  }
  std::istringstream lines(host.ReadFile("/proc/self/limits").value_or(""));
  constexpr std::string_view kName = "Max locked memory";
  for (std::string line; std::getline(lines, line);) {
    unsigned long long bytes = 0;
    if (!line.starts_with(kName)) continue;
    const bool limited = std::sscanf(line.c_str() + kName.size(), "%llu", &bytes) == 1;
    if (!limited || bytes >= kMemlock) break;
    return {"memlock", Level::kError, "too little memory may be locked",
            fmt::format("{} bytes, before Linux 5.11 BPF maps are counted as such", bytes),
            "ulimit -l unlimited, or LimitMEMLOCK=infinity in the unit"};
  }
  return {"memlock", Level::kOk, "memory for BPF", "enough may be locked", ""};
}

Check CheckLockdown(const Host& host) {
  const auto text = host.ReadFile("/sys/kernel/security/lockdown");
  if (text.ok() && text->find("[confidentiality]") != std::string::npos) {
    return {"lockdown", Level::kError, "the kernel's lockdown forbids reading its memory",
            "lockdown is confidentiality",
            "boot with lockdown=integrity, or without; with secure boot the firmware decides"};
  }
  const bool integrity = text.ok() && text->find("[integrity]") != std::string::npos;
  return {"lockdown", Level::kOk, "lockdown", integrity ? "integrity" : "none", ""};
}

Check CheckRingBuffer(const Host& host) {
  const absl::Status status = host.TryRingBuffer();
  if (status.ok()) return {"ring_buffer", Level::kOk, "BPF ring buffer", "", ""};
  // Without the capability this says nothing of the kernel.
  const bool denied = !Holds(host, "CAP_BPF");
  return {"ring_buffer", denied ? Level::kWarning : Level::kError,
          "the kernel makes no BPF ring buffer", std::string(Message(status)),
          denied ? kRunAsRoot
                 : "a seccomp profile or a kernel without CONFIG_BPF_SYSCALL forbids bpf(): allow "
                   "it (containers: --security-opt seccomp=unconfined)"};
}

Check CheckCgroup(const Host& host) {
  if (host.ReadFile("/sys/fs/cgroup/cgroup.controllers").ok()) {
    return {"cgroup", Level::kOk, "cgroup", "version 2", ""};
  }
  return {"cgroup", Level::kOk, "cgroup", "version 1 or none; container ids are read all the same",
          ""};
}

Check CheckClock(const Host& host) {
  if (host.ClockSynchronized()) return {"clock", Level::kOk, "clock", "synchronized", ""};
  return {"clock", Level::kWarning, "nobody keeps the clock right",
          "backends refuse profiles that are over an hour off",
          "timedatectl set-ntp true, or start chrony"};
}

Check CheckDataDir(const Host& host, const std::string& data_dir) {
  const absl::Status status = host.CheckWritable(data_dir);
  if (status.ok()) return {"data_dir", Level::kOk, "data folder", data_dir, ""};
  return {"data_dir", Level::kError, "the data folder cannot be written to",
          std::string(Message(status)),
          "mount it writable, or choose another with --data-dir; /var/lib/stoker needs root"};
}

Check CheckDisk(const Host& host, const std::string& data_dir) {
  const auto space = host.DiskSpace(data_dir);
  if (!space.ok()) {
    return {"disk", Level::kWarning, "disk space unknown", std::string(Message(space.status())),
            ""};
  }
  const std::string detail =
      fmt::format("{:.1f} GiB free of {:.1f} GiB at {}",
                  static_cast<double>(space->free_bytes) / static_cast<double>(kGiB),
                  static_cast<double>(space->total_bytes) / static_cast<double>(kGiB), data_dir);
  if (space->free_bytes >= kLittleSpace) return {"disk", Level::kOk, "disk space", detail, ""};
  const bool none = space->free_bytes < kNoSpace;
  return {"disk", none ? Level::kError : Level::kWarning,
          none ? "the disk is full: nothing new is stored" : "the disk is nearly full", detail,
          "free space, lower the store's retention, or choose another disk with --data-dir"};
}

Check CheckConfigurationFile(const Host& host, const std::string& path) {
  const absl::Status status = host.CheckConfiguration(path);
  if (status.ok()) return {"configuration", Level::kOk, "configuration", path, ""};
  return {"configuration", Level::kError, "the configuration does not stand",
          std::string(Message(status)), "stoker validate " + path};
}

Check CheckPort(const Host& host, const WantedPort& wanted, bool running) {
  const std::string id = fmt::format("port.{}", wanted.port);
  const std::string title = fmt::format("port {} ({})", wanted.port, wanted.use);
  const auto inode = ListenerOf(host, wanted.port);
  if (!inode.has_value()) return {id, Level::kOk, title, "free", ""};
  const std::string owner = host.SocketOwner(*inode);
  if (owner.empty() && running) {
    return {id, Level::kOk, title, "held, as it seems by what runs", ""};
  }
  if (owner.starts_with("stoker")) return {id, Level::kOk, title, "held by " + owner, ""};
  return {id, wanted.always ? Level::kError : Level::kWarning,
          fmt::format("port {} is in use, and {} wants it", wanted.port, wanted.use),
          owner.empty() ? "by a process that only root can name" : "by " + owner,
          wanted.flag.empty() ? "stop that process"
                              : "stop that process, or choose another address with " + wanted.flag};
}

}  // namespace stoker::cli
