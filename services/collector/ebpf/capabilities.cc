#include "services/collector/ebpf/capabilities.h"

#include <cerrno>
#include <memory>
#include <vector>

#include <sys/capability.h>

#include "services/common/base/status.h"

namespace stoker::ebpf {
namespace {

// Load and attach programs; read mappings and files of others; /proc/PID/map_files.
const std::vector<cap_value_t> kNeeded = {CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH,
                                          CAP_CHECKPOINT_RESTORE};

struct FreeCaps {
  void operator()(cap_t caps) const { cap_free(caps); }
};
using Caps = std::unique_ptr<std::remove_pointer_t<cap_t>, FreeCaps>;

}  // namespace

absl::Status KeepNeededCapabilities() {
  const Caps now(cap_get_proc());
  const Caps next(cap_init());
  if (now == nullptr || next == nullptr) return ErrnoError(errno, "read the capabilities");
  for (const cap_value_t capability : kNeeded) {
    cap_flag_value_t permitted = CAP_CLEAR;
    cap_get_flag(now.get(), capability, CAP_PERMITTED, &permitted);
    if (permitted != CAP_SET) continue;
    cap_set_flag(next.get(), CAP_PERMITTED, 1, &capability, CAP_SET);
    cap_set_flag(next.get(), CAP_EFFECTIVE, 1, &capability, CAP_SET);
  }
  if (cap_set_proc(next.get()) != 0) return ErrnoError(errno, "drop capabilities");
  return absl::OkStatus();
}

}  // namespace stoker::ebpf
