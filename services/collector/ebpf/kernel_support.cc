#include "services/collector/ebpf/kernel_support.h"

#include <cstdio>
#include <string>

#include <sys/capability.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "services/common/base/status.h"

namespace stoker::ebpf {
namespace {

bool HasCapability(cap_value_t capability) {
  cap_t mine = cap_get_proc();
  cap_flag_value_t value = CAP_CLEAR;
  const bool known = mine != nullptr && cap_get_flag(mine, capability, CAP_EFFECTIVE, &value) == 0;
  cap_free(mine);
  return known && value == CAP_SET;
}

}  // namespace

absl::Status CheckKernelRelease(std::string_view release) {
  int major = 0;
  int minor = 0;
  if (std::sscanf(std::string(release).c_str(), "%d.%d", &major, &minor) != 2) {
    return absl::OkStatus();
  }
  if (major > 5 || (major == 5 && minor >= 15)) return absl::OkStatus();
  return FailedPrecondition("pyroscope.ebpf needs Linux 5.15 or later; this kernel is {}", release);
}

absl::Status CheckKernelSupport() {
  utsname name{};
  uname(&name);
  STOKER_RETURN_IF_ERROR(CheckKernelRelease(name.release));
  if (access("/sys/kernel/btf/vmlinux", R_OK) != 0) {
    return FailedPrecondition(
        "pyroscope.ebpf needs the kernel's BTF: /sys/kernel/btf/vmlinux cannot be read; mount "
        "/sys, "
        "or use a kernel built with CONFIG_DEBUG_INFO_BTF=y");
  }
  if (HasCapability(CAP_SYS_ADMIN)) return absl::OkStatus();
  if (!HasCapability(CAP_BPF)) {
    return PermissionDenied(
        "pyroscope.ebpf needs the capability CAP_BPF; run as root or grant it to the process");
  }
  if (!HasCapability(CAP_PERFMON)) {
    return PermissionDenied(
        "pyroscope.ebpf needs the capability CAP_PERFMON; run as root or grant it to the process");
  }
  return absl::OkStatus();
}

}  // namespace stoker::ebpf
