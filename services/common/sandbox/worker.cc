#include "services/common/sandbox/worker.h"

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>
#include <vector>

#include <sys/prctl.h>
#include <sys/time.h>
#include <unistd.h>

#include "services/common/base/status.h"
#include "services/common/sandbox/channel.h"
#include "services/common/sandbox/confine.h"
#include "services/common/sandbox/worker_start.h"

namespace stoker::sandbox {
namespace {

// SIGALRM ends the process `deadline_ms` from now, also when its parent is gone; 0 takes it back.
void SetAlarm(std::uint64_t deadline_ms) {
  itimerval timer = {};
  timer.it_value.tv_sec = static_cast<time_t>(deadline_ms / 1000);
  timer.it_value.tv_usec = static_cast<suseconds_t>(deadline_ms % 1000 * 1000);
  setitimer(ITIMER_REAL, &timer, nullptr);
}

absl::StatusOr<std::string> RunJob(const Jobs& jobs, const Received& request) {
  const auto job = jobs.find(request.packet.name);
  if (job == jobs.end()) return NotFound("no job is named {}", request.packet.name);
  std::vector<int> fds;
  for (const UniqueFd& fd : request.fds) fds.push_back(fd.get());
  return job->second(fds, request.packet.body);
}

Packet ToPacket(absl::StatusOr<std::string> result) {
  if (result.ok()) return {.body = *std::move(result)};
  return {.code = static_cast<std::uint32_t>(result.status().code()),
          .body = std::string(Message(result.status()))};
}

// One job. False: the sandbox has closed the socket.
bool ServeOne(const Jobs& jobs) {
  absl::StatusOr<Received> request =
      Receive(kWorkerSocket, kMaxRequestBytes, absl::InfiniteDuration());
  if (!request.ok()) return false;
  SetAlarm(request->packet.deadline_ms);
  const Packet response = ToPacket(RunJob(jobs, *request));
  const bool sent = Send(kWorkerSocket, response, {}, absl::InfiniteDuration()).ok();
  SetAlarm(0);
  return sent;
}

// Gives up all rights, and ties this process' life to its parent's.
absl::Status GiveUpRights(char** argv) {
  prctl(PR_SET_NAME, "sandbox-worker", 0, 0, 0);
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) return ErrnoError(errno, "PR_SET_PDEATHSIG");
  if (getppid() != std::strtol(argv[2], nullptr, 10)) return Unavailable("the parent is gone");
  return Confine(std::strtoull(argv[3], nullptr, 10), std::strtoull(argv[4], nullptr, 10));
}

}  // namespace

bool IsWorker(int argc, char** argv) {
  return argc == kWorkerArguments && std::strcmp(argv[1], kWorkerFlag) == 0;
}

int RunWorker(char** argv, const Jobs& jobs) {
  if (const absl::Status given_up = GiveUpRights(argv); !given_up.ok()) {
    // The sandbox takes it for the answer to its first request.
    (void)Send(kWorkerSocket, ToPacket(given_up), {}, absl::InfiniteDuration());
    return kExitNotConfined;
  }
  try {
    while (ServeOne(jobs)) {
    }
  } catch (const std::bad_alloc&) {
    // No destructors: they might need memory.
    _exit(kExitOutOfMemory);
  }
  return 0;
}

}  // namespace stoker::sandbox
