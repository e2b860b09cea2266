#include "services/common/sandbox/worker_process.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "services/common/base/status.h"
#include "services/common/sandbox/channel.h"
#include "services/common/sandbox/worker_start.h"

namespace stoker::sandbox {
namespace {

// A killed process that has not ended by then sits in the kernel, behind a file system that does
// not answer.
constexpr absl::Duration kDeathTimeout = absl::Seconds(1);
// What the parent waits beyond a job's deadline: the worker's own timer fires first.
constexpr absl::Duration kGrace = absl::Milliseconds(200);

// Waits until the process can be reaped.
bool WaitForEnd(pid_t pid, absl::Duration timeout) {
  const UniqueFd handle(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!handle.valid()) return errno == ESRCH;
  pollfd item = {.fd = handle.get(), .events = POLLIN, .revents = 0};
  const absl::Duration deadline = MonotonicNow() + timeout;
  while (true) {
    const absl::Duration left = std::max(deadline - MonotonicNow(), absl::ZeroDuration());
    const int ready = poll(&item, 1, static_cast<int>(absl::ToInt64Milliseconds(left)));
    if (ready >= 0 || errno != EINTR) return ready > 0;
  }
}

// Starts /proc/self/exe with nothing open but the socket and /dev/null, no signal blocked or
// ignored, in a process group of its own, so that a terminal's Ctrl-C does not reach it.
int Spawn(int socket, std::vector<std::string> arguments, pid_t* pid) {
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  // What a worker writes is not to be trusted, in the log neither.
  posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
#endif
  posix_spawn_file_actions_adddup2(&files, socket, kWorkerSocket);
  posix_spawn_file_actions_addclosefrom_np(&files, kWorkerSocket + 1);

  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);

  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  // Of the environment only what the dynamic linker needs: secrets may stand in the rest.
  std::string library_path = "LD_LIBRARY_PATH=";
  const char* value = std::getenv("LD_LIBRARY_PATH");
  if (value != nullptr) library_path += value;
  char* environment[] = {value == nullptr ? nullptr : library_path.data(), nullptr};
  const int error =
      posix_spawn(pid, "/proc/self/exe", &files, &attributes, argv.data(), environment);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  return error;
}

absl::Status NameSignal(std::string_view job, int signal) {
  switch (signal) {
    case SIGALRM:
      return Error(absl::StatusCode::kDeadlineExceeded, "{}: the worker ran past its deadline",
                   job);
    case SIGSYS:
      return Internal("{}: the worker made a forbidden system call", job);
    case SIGXFSZ:
      return ResourceExhausted("{}: the worker wrote past its file limit", job);
    case SIGKILL:
      return ResourceExhausted("{}: the worker was killed, as for want of memory", job);
    default:
      return Internal("{}: the worker crashed: {}", job, strsignal(signal));
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<WorkerProcess>> WorkerProcess::Start(const Limits& limits) {
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) {
    return ErrnoError(errno, "socketpair");
  }
  UniqueFd ours(sockets[0]);
  const UniqueFd theirs(sockets[1]);
  pid_t pid = 0;
  const int error = Spawn(theirs.get(),
                          {std::string("stoker"), kWorkerFlag, std::to_string(getpid()),
                           std::to_string(limits.memory_bytes), std::to_string(limits.file_bytes)},
                          &pid);
  if (error != 0) return Unavailable("cannot start a sandbox worker: {}", std::strerror(error));
  return std::unique_ptr<WorkerProcess>(new WorkerProcess(pid, std::move(ours), limits));
}

WorkerProcess::~WorkerProcess() { Kill(); }

absl::StatusOr<std::string> WorkerProcess::Run(std::string_view job, std::span<const int> fds,
                                               std::string request, absl::Duration deadline) {
  const absl::Duration end = MonotonicNow() + deadline + kGrace;
  const Packet packet{
      .name = std::string(job),
      .deadline_ms = static_cast<std::uint64_t>(absl::ToInt64Milliseconds(deadline)) + 1,
      .body = std::move(request)};
  absl::Status status = Send(socket_.get(), packet, fds, end);
  // A worker that could not confine itself has answered before it was asked.
  absl::StatusOr<Received> response = Receive(socket_.get(), limits_.response_bytes, end);
  if (response.ok() && status.ok()) {
    if (response->packet.code == 0) return std::move(response->packet.body);
    return absl::Status(static_cast<absl::StatusCode>(response->packet.code),
                        response->packet.body);
  }
  if (status.ok()) status = response.status();
  if (status.code() == absl::StatusCode::kUnavailable) status = Exited(job);
  socket_.reset();
  return WithContext(status, "sandbox");
}

// Says why the process closed its end of the socket.
absl::Status WorkerProcess::Exited(std::string_view job) {
  int wait_status = 0;
  if (!WaitForEnd(pid_, kDeathTimeout) || waitpid(pid_, &wait_status, WNOHANG) != pid_) {
    return Internal("{}: the worker closed its socket", job);
  }
  pid_ = 0;
  if (WIFSIGNALED(wait_status)) return NameSignal(job, WTERMSIG(wait_status));
  if (WEXITSTATUS(wait_status) == kExitOutOfMemory) {
    return ResourceExhausted("{}: the worker ran out of memory", job);
  }
  if (WEXITSTATUS(wait_status) == kExitNotConfined) {
    return Unavailable("{}: the worker could not give up its rights", job);
  }
  return Internal("{}: the worker exited with status {}", job, WEXITSTATUS(wait_status));
}

bool WorkerProcess::Kill() {
  socket_.reset();
  if (pid_ == 0) return true;
  kill(pid_, SIGKILL);
  if (!WaitForEnd(pid_, kDeathTimeout) || waitpid(pid_, nullptr, WNOHANG) != pid_) return false;
  pid_ = 0;
  return true;
}

}  // namespace stoker::sandbox
