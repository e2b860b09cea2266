#include "services/common/sandbox/confine.h"

#include <cerrno>
#include <memory>

#include <fcntl.h>
#include <seccomp.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "services/common/base/status.h"

namespace stoker::sandbox {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif
#else
constexpr bool kSanitized = false;
#endif

absl::Status DropCapabilities() {
  // Without CAP_SETPCAP the bounding set stays; no_new_privs makes it worthless.
  for (int capability = 0; cap_get_bound(capability) >= 0; ++capability) {
    cap_drop_bound(capability);
  }
  // Kernels have had ambient capabilities since 4.3.
  if (cap_reset_ambient() != 0) return ErrnoError(errno, "reset ambient capabilities");
  const std::unique_ptr<void, int (*)(void*)> none(cap_init(), cap_free);
  if (cap_set_proc(static_cast<cap_t>(none.get())) != 0) {
    return ErrnoError(errno, "drop capabilities");
  }
  return absl::OkStatus();
}

absl::Status Limit(int resource, std::size_t bytes, const char* name) {
  const rlimit limit = {.rlim_cur = bytes, .rlim_max = bytes};
  if (setrlimit(resource, &limit) != 0) return ErrnoError(errno, name);
  return absl::OkStatus();
}

// Calls that take any argument: reading, writing, the clock, memory, signals, the end.
constexpr int kAllowed[] = {
    SCMP_SYS(read),         SCMP_SYS(write),          SCMP_SYS(readv),
    SCMP_SYS(writev),       SCMP_SYS(pread64),        SCMP_SYS(pwrite64),
    SCMP_SYS(lseek),        SCMP_SYS(fstat),          SCMP_SYS(ftruncate),
    SCMP_SYS(close),        SCMP_SYS(recvmsg),        SCMP_SYS(sendmsg),
    SCMP_SYS(poll),         SCMP_SYS(ppoll),          SCMP_SYS(munmap),
    SCMP_SYS(mremap),       SCMP_SYS(madvise),        SCMP_SYS(brk),
    SCMP_SYS(futex),        SCMP_SYS(clock_gettime),  SCMP_SYS(gettimeofday),
    SCMP_SYS(setitimer),    SCMP_SYS(getrandom),      SCMP_SYS(sigaltstack),
    SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(gettid),
    SCMP_SYS(getpid),       SCMP_SYS(rt_sigreturn),   SCMP_SYS(restart_syscall),
    SCMP_SYS(exit),         SCMP_SYS(exit_group),     SCMP_SYS(sched_yield),
};

// Calls that ask for a path: libraries try them and live with a refusal.
constexpr int kRefused[] = {
    SCMP_SYS(open),     SCMP_SYS(openat), SCMP_SYS(stat),      SCMP_SYS(access),
    SCMP_SYS(readlink), SCMP_SYS(statx),  SCMP_SYS(faccessat), SCMP_SYS(readlinkat),
};

// Memory is never executable; mappings are of no file.
int AddMemoryRules(scmp_filter_ctx filter) {
  int error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2,
                               SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
                               SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, MAP_ANONYMOUS));
  if (error == 0) {
    error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                             SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
  }
  return error;
}

// A process may end itself by a signal, as abort does, and look at its own descriptors.
int AddSelfRules(scmp_filter_ctx filter) {
  int error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                               SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(getpid())));
  if (error == 0) {
    error = seccomp_rule_add(
        filter, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1,
        SCMP_A3(SCMP_CMP_MASKED_EQ, static_cast<scmp_datum_t>(AT_EMPTY_PATH), AT_EMPTY_PATH));
  }
  return error;
}

absl::Status FilterSystemCalls() {
  const std::unique_ptr<void, void (*)(void*)> filter(
      seccomp_init(kSanitized ? SCMP_ACT_ERRNO(EPERM) : SCMP_ACT_KILL_PROCESS), seccomp_release);
  if (filter == nullptr) return Internal("libseccomp made no filter");
  int error = 0;
  for (const int call : kAllowed) {
    if (error == 0) error = seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, 0);
  }
  for (const int call : kRefused) {
    if (error == 0) error = seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EACCES), call, 0);
  }
  if (error == 0) error = AddMemoryRules(filter.get());
  if (error == 0) error = AddSelfRules(filter.get());
  if (error == 0) error = seccomp_load(filter.get());
  return error == 0 ? absl::OkStatus() : ErrnoError(-error, "install the system call filter");
}

}  // namespace

absl::Status Confine(std::size_t memory_bytes, std::size_t file_bytes) {
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return ErrnoError(errno, "PR_SET_DUMPABLE");
  STOKER_RETURN_IF_ERROR(DropCapabilities());
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return ErrnoError(errno, "PR_SET_NO_NEW_PRIVS");
  STOKER_RETURN_IF_ERROR(Limit(RLIMIT_CORE, 0, "RLIMIT_CORE"));
  STOKER_RETURN_IF_ERROR(Limit(RLIMIT_FSIZE, file_bytes, "RLIMIT_FSIZE"));
  if (!kSanitized) STOKER_RETURN_IF_ERROR(Limit(RLIMIT_AS, memory_bytes, "RLIMIT_AS"));
  return FilterSystemCalls();
}

}  // namespace stoker::sandbox
