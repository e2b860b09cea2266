// Proves on the real kernel that a program's stacks come with their frames and in their shares, and
// that samples times period are the CPU time that it used.
#include "services/collector/ebpf/sampler.h"

#include <cstdlib>
#include <map>
#include <string>

#include <absl/time/clock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace stoker::ebpf {
namespace {

constexpr int kRate = 997;
constexpr char kProgram[] = "tests/fixtures/hot";
constexpr char kSeconds[] = "6";

// Counts the samples of one process, by the innermost user address.
class CountOf final : public SampleSink {
 public:
  explicit CountOf(pid_t pid) : pid_(static_cast<std::uint32_t>(pid)) {}

  void OnSample(const RawSample& sample) override {
    if (sample.pid != pid_) return;
    ++samples;
    if (!sample.user.empty()) ++with_user_stack;
    if (sample.user.size() >= 3) ++by_caller[sample.user[1]];
  }
  void OnExec(std::uint32_t pid) override { execs += pid == pid_ ? 1 : 0; }
  void OnExit(std::uint32_t pid) override { exits += pid == pid_ ? 1 : 0; }

  std::uint64_t samples = 0;
  std::uint64_t with_user_stack = 0;
  int execs = 0;
  int exits = 0;
  // By the return address of the innermost function: its place within work().
  std::map<std::uint64_t, std::uint64_t> by_caller;

 private:
  const std::uint32_t pid_;
};

pid_t StartProgram() {
  const pid_t pid = fork();
  if (pid == 0) {
    execl(kProgram, kProgram, kSeconds, nullptr);
    _exit(127);
  }
  return pid;
}

// Drains until the program ends; its CPU time.
absl::Duration DrainUntilEnd(Sampler& sampler, CountOf& count, pid_t pid) {
  rusage usage{};
  int status = 0;
  while (wait4(pid, &status, WNOHANG, &usage) == 0) {
    pollfd wake{.fd = sampler.wake_fd(), .events = POLLIN};
    poll(&wake, 1, 50);
    EXPECT_TRUE(sampler.Drain(count).ok());
  }
  EXPECT_EQ(status, 0) << kProgram << " cannot be run";
  EXPECT_TRUE(sampler.Drain(count).ok());
  return absl::DurationFromTimeval(usage.ru_utime) + absl::DurationFromTimeval(usage.ru_stime);
}

TEST(Sampler, CountsTimesPeriodAreCpuTime) {
  if (geteuid() != 0) GTEST_SKIP() << "BPF needs root";
  auto sampler = Sampler::Start(kRate);
  ASSERT_TRUE(sampler.ok()) << sampler.status();
  const pid_t pid = StartProgram();
  CountOf count(pid);
  const absl::Duration used = DrainUntilEnd(**sampler, count, pid);
  const absl::Duration sampled =
      absl::Nanoseconds(static_cast<std::int64_t>(count.samples) * Sampler::PeriodNs(kRate));
  EXPECT_NEAR(absl::FDivDuration(sampled, used), 1.0, 0.01)
      << sampled << " sampled, " << used << " used";
  EXPECT_GT(count.with_user_stack, count.samples * 95 / 100);
  EXPECT_EQ(count.exits, 1);
  EXPECT_EQ((*sampler)->ReadStats()[STOKER_STAT_RING_FULL], 0u);
  // work() calls hot() at one place, with 70 % of the time.
  std::uint64_t most = 0;
  for (const auto& [address, samples] : count.by_caller) most = std::max(most, samples);
  EXPECT_NEAR(static_cast<double>(most) / static_cast<double>(count.samples), 0.70, 0.03);
}

TEST(Sampler, TakesNothingOnceStopped) {
  if (geteuid() != 0) GTEST_SKIP() << "BPF needs root";
  auto sampler = Sampler::Start(kRate);
  ASSERT_TRUE(sampler.ok()) << sampler.status();
  (*sampler)->Stop();
  const std::uint64_t before = (*sampler)->ReadStats()[STOKER_STAT_TAKEN];
  const absl::Time end = absl::Now() + absl::Milliseconds(100);
  volatile std::uint64_t spin = 0;
  while (absl::Now() < end) spin = spin + 1;
  EXPECT_EQ((*sampler)->ReadStats()[STOKER_STAT_TAKEN], before);
}

}  // namespace
}  // namespace stoker::ebpf
