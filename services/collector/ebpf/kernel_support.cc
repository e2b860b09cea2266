#include "services/collector/ebpf/kernel_support.h"

#include <cstdio>
#include <string>
#include <utility>

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
  std::string missing;
  for (const auto& [capability, word] :
       {std::pair(CAP_BPF, "CAP_BPF"), std::pair(CAP_PERFMON, "CAP_PERFMON"),
        std::pair(CAP_SYS_PTRACE, "CAP_SYS_PTRACE"),
        std::pair(CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH"),
        std::pair(CAP_CHECKPOINT_RESTORE, "CAP_CHECKPOINT_RESTORE")}) {
    if (!HasCapability(capability)) missing += (missing.empty() ? "" : ", ") + std::string(word);
  }
  if (!missing.empty()) {
    return PermissionDenied("pyroscope.ebpf lacks {}: run as root, or grant them to the process",
                            missing);
  }
  return absl::OkStatus();
}

}  // namespace stoker::ebpf
