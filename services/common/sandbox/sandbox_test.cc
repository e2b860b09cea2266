#include "services/common/sandbox/sandbox.h"

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <absl/time/clock.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "services/common/base/status.h"
#include "services/common/base/unique_fd.h"
#include "services/common/sandbox/worker.h"

namespace stoker::sandbox {
namespace {

using ::testing::HasSubstr;

// Keeps the optimizer from proving an endless loop away.
volatile bool forever = true;

absl::StatusOr<std::string> Echo(std::span<const int>, std::string_view request) {
  return std::string(request);
}

absl::StatusOr<std::string> Fail(std::span<const int>, std::string_view request) {
  return InvalidArgument("bad {}", request);
}

absl::StatusOr<std::string> ReadFirst(std::span<const int> fds, std::string_view) {
  char bytes[64];
  const ssize_t got = pread(fds[0], bytes, sizeof bytes, 0);
  if (got < 0) return ErrnoError(errno, "pread");
  return std::string(bytes, static_cast<std::size_t>(got));
}

absl::StatusOr<std::string> Crash(std::span<const int>, std::string_view) { std::abort(); }

absl::StatusOr<std::string> Spin(std::span<const int>, std::string_view) {
  while (forever) {
  }
  return "";
}

absl::StatusOr<std::string> Gorge(std::span<const int>, std::string_view) {
  std::vector<std::string> kept;
  while (forever) kept.emplace_back(std::size_t{16} << 20, 'x');
  return "";
}

absl::StatusOr<std::string> OpenPath(std::span<const int>, std::string_view request) {
  const UniqueFd fd(open(std::string(request).c_str(), O_RDONLY));
  return fd.valid() ? "opened" : std::strerror(errno);
}

absl::StatusOr<std::string> OpenSocket(std::span<const int>, std::string_view) {
  const UniqueFd fd(socket(AF_INET, SOCK_STREAM, 0));
  return fd.valid() ? "opened" : std::strerror(errno);
}

absl::StatusOr<std::string> OpenFds(std::span<const int>, std::string_view) {
  std::string list;
  for (int fd = 0; fd < 1024; ++fd) {
    if (lseek(fd, 0, SEEK_CUR) >= 0 || errno != EBADF) list += std::to_string(fd) + " ";
  }
  return list;
}

absl::StatusOr<std::string> Pid(std::span<const int>, std::string_view) {
  return std::to_string(getpid());
}

const Jobs kJobs = {{"echo", Echo},   {"fail", Fail},   {"read", ReadFirst}, {"crash", Crash},
                    {"spin", Spin},   {"gorge", Gorge}, {"open", OpenPath},  {"socket", OpenSocket},
                    {"fds", OpenFds}, {"pid", Pid}};

constexpr absl::Duration kDeadline = absl::Seconds(20);

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

UniqueFd MemoryFile(std::string_view bytes) {
  UniqueFd fd(memfd_create("test", MFD_CLOEXEC));
  EXPECT_EQ(write(fd.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  return fd;
}

// A request of any size comes back whole; a job's error comes back as it is.
TEST(SandboxTest, RunsJobs) {
  Sandbox sandbox({});
  const std::string large(5'000'000, 'y');
  EXPECT_EQ(*sandbox.Run("echo", {}, "", kDeadline), "");
  EXPECT_EQ(*sandbox.Run("echo", {}, large, kDeadline), large);
  const auto failed = sandbox.Run("fail", {}, "header", kDeadline);
  EXPECT_EQ(failed.status(), InvalidArgument("bad header"));
  EXPECT_EQ(sandbox.Run("unknown", {}, "", kDeadline).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(sandbox.counts().workers_started, 1);
}

// A job reads what it is handed, and only that: nothing of the parent is open in the worker.
TEST(SandboxTest, PassesDescriptors) {
  Sandbox sandbox({});
  const UniqueFd leaked(open("/dev/null", O_RDONLY));
  const UniqueFd file = MemoryFile("seven");
  EXPECT_EQ(*sandbox.Run("read", std::vector<int>{file.get()}, "", kDeadline), "seven");
  EXPECT_EQ(*sandbox.Run("fds", {}, "", kDeadline), "0 1 2 3 ");
}

// A crash is named and costs only its own job.
TEST(SandboxTest, Crash) {
  Sandbox sandbox({});
  const auto crashed = sandbox.Run("crash", {}, "", kDeadline);
  EXPECT_EQ(crashed.status().code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(Message(crashed.status())), HasSubstr("crash"));
  EXPECT_EQ(*sandbox.Run("echo", {}, "next", kDeadline), "next");
  EXPECT_EQ(sandbox.counts().workers_failed, 1);
  EXPECT_EQ(sandbox.counts().workers_started, 2);
}

// A job that does not end is ended.
TEST(SandboxTest, Deadline) {
  Sandbox sandbox({});
  const auto late = sandbox.Run("spin", {}, "", absl::Milliseconds(50));
  EXPECT_EQ(late.status().code(), absl::StatusCode::kDeadlineExceeded) << late.status();
  EXPECT_EQ(*sandbox.Run("echo", {}, "next", kDeadline), "next");
}

// A job that takes memory without end gets an error; its parent's memory is its own.
TEST(SandboxTest, Memory) {
  if (kSanitized) GTEST_SKIP() << "address space is not limited under sanitizers";
  Sandbox sandbox({.memory_bytes = std::size_t{256} << 20});
  const auto gorged = sandbox.Run("gorge", {}, "", kDeadline);
  EXPECT_EQ(gorged.status().code(), absl::StatusCode::kResourceExhausted) << gorged.status();
  EXPECT_EQ(*sandbox.Run("echo", {}, "next", kDeadline), "next");
}

// A worker opens no path and no socket.
TEST(SandboxTest, NoSystem) {
  Sandbox sandbox({});
  EXPECT_NE(*sandbox.Run("open", {}, "/etc/passwd", kDeadline), "opened");
  const auto socket = sandbox.Run("socket", {}, "", kDeadline);
  if (kSanitized) {
    EXPECT_NE(*socket, "opened");
  } else {
    EXPECT_EQ(socket.status().code(), absl::StatusCode::kInternal);
    EXPECT_THAT(std::string(Message(socket.status())), HasSubstr("forbidden system call"));
  }
}

// The running worker has no capability, a filter and no way back, whoever the parent is.
TEST(SandboxTest, NoRights) {
  Sandbox sandbox({});
  const std::string pid = *sandbox.Run("pid", {}, "", kDeadline);
  std::ifstream file("/proc/" + pid + "/status");
  const std::string status{std::istreambuf_iterator<char>(file), {}};
  EXPECT_THAT(status, HasSubstr("CapPrm:\t0000000000000000"));
  EXPECT_THAT(status, HasSubstr("CapEff:\t0000000000000000"));
  EXPECT_THAT(status, HasSubstr("CapInh:\t0000000000000000"));
  EXPECT_THAT(status, HasSubstr("CapAmb:\t0000000000000000"));
  EXPECT_THAT(status, HasSubstr("NoNewPrivs:\t1"));
  EXPECT_THAT(status, HasSubstr("Seccomp:\t2"));
  EXPECT_THAT(status, HasSubstr("Threads:\t1"));
}

// A worker is replaced after its share of jobs.
TEST(SandboxTest, Recycles) {
  Sandbox sandbox({.jobs_per_worker = 2});
  const std::string first = *sandbox.Run("pid", {}, "", kDeadline);
  EXPECT_EQ(*sandbox.Run("pid", {}, "", kDeadline), first);
  EXPECT_NE(*sandbox.Run("pid", {}, "", kDeadline), first);
}

// A worker that has nothing to do goes, and another comes for the next job.
TEST(SandboxTest, Idle) {
  Sandbox sandbox({.idle_timeout = absl::Milliseconds(1)});
  const auto pid = static_cast<pid_t>(std::stol(*sandbox.Run("pid", {}, "", kDeadline)));
  const absl::Time limit = absl::Now() + absl::Seconds(20);
  while (kill(pid, 0) == 0 && absl::Now() < limit) std::this_thread::yield();
  EXPECT_NE(kill(pid, 0), 0);
  EXPECT_EQ(*sandbox.Run("echo", {}, "next", kDeadline), "next");
}

// Jobs of several threads share the workers; each gets its own answer while others crash.
TEST(SandboxTest, ManyCallers) {
  Sandbox sandbox({.workers = 2});
  std::atomic<int> wrong = 0;
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([&, i] {
      for (int n = 0; n < 20; ++n) {
        const std::string text = std::to_string(i * 100 + n);
        if (n % 10 == 9) (void)sandbox.Run("crash", {}, "", kDeadline);
        const auto answer = sandbox.Run("echo", {}, text, kDeadline);
        if (!answer.ok() || *answer != text) ++wrong;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(sandbox.counts().workers_failed, 8);
}

}  // namespace
}  // namespace stoker::sandbox

int main(int argc, char** argv) {
  using stoker::sandbox::IsWorker;
  if (IsWorker(argc, argv)) return stoker::sandbox::RunWorker(argv, stoker::sandbox::kJobs);
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
