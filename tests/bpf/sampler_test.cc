// Proves on the real kernel that a program's stacks come with their frames and in their shares, and
// that samples times period are the CPU time that it used.
#include "services/collector/ebpf/sampler.h"

#include <cstdlib>
#include <map>
#include <string>

#include <absl/time/clock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bpf/live_unwinder.h"

namespace stoker::ebpf {
namespace {

constexpr int kRate = 997;
constexpr char kProgram[] = "tests/fixtures/hot";
constexpr char kSeconds[] = "6";
constexpr char kWarmUpSeconds[] = "1";

// Counts the samples of one process, by the innermost user address.
struct CountOf {
  std::uint64_t samples = 0;
  std::uint64_t with_user_stack = 0;
  std::uint64_t whole = 0;
  int exits = 0;
  std::map<stoker_stop, int> stops;
  // By the return address of the innermost function: its place within work().
  std::map<std::uint64_t, std::uint64_t> by_caller;

  void Add(const RawSample& sample) {
    ++samples;
    if (!sample.user.empty()) ++with_user_stack;
    if (!sample.user.empty() && sample.stop == STOKER_STOP_COMPLETE) ++whole;
    if (!sample.user.empty()) ++stops[sample.stop];
    if (sample.user.size() >= 3) ++by_caller[sample.user[1]];
  }
};

pid_t StartProgram(const char* seconds) {
  const pid_t pid = fork();
  if (pid == 0) {
    execl(kProgram, kProgram, seconds, nullptr);
    _exit(127);
  }
  return pid;
}

// Drains until the program ends; its CPU time.
absl::Duration RunUntilEnd(LiveUnwinder& live, pid_t pid) {
  rusage usage{};
  int status = 0;
  while (wait4(pid, &status, WNOHANG, &usage) == 0) live.Run(absl::Milliseconds(50));
  EXPECT_EQ(status, 0) << kProgram << " cannot be run";
  return absl::DurationFromTimeval(usage.ru_utime) + absl::DurationFromTimeval(usage.ru_stime);
}

// Samples the program for `seconds`, its tables made before; the CPU time that it used.
absl::Duration SampleProgram(const char* seconds, CountOf& count) {
  std::uint32_t pid = 0;
  auto live = LiveUnwinder::Start(kRate, ::testing::TempDir() + "/tables",
                                  [&](const ProcessPtr&, const RawSample& sample) {
                                    if (sample.pid == pid) count.Add(sample);
                                  });
  EXPECT_TRUE(live.ok()) << live.status();
  if (!live.ok()) return absl::ZeroDuration();
  (*live)->on_exit = [&](std::uint32_t ended) { count.exits += ended == pid ? 1 : 0; };
  RunUntilEnd(**live, StartProgram(kWarmUpSeconds));
  const pid_t program = StartProgram(seconds);
  pid = static_cast<std::uint32_t>(program);
  const absl::Duration used = RunUntilEnd(**live, program);
  (*live)->Stop();
  EXPECT_EQ((*live)->sampler().ReadStats()[STOKER_STAT_RING_FULL], 0u);
  return used;
}

TEST(Sampler, CountsTimesPeriodAreCpuTime) {
  if (geteuid() != 0) GTEST_SKIP() << "BPF needs root";
  CountOf count;
  const absl::Duration used = SampleProgram(kSeconds, count);
  const absl::Duration sampled =
      absl::Nanoseconds(static_cast<std::int64_t>(count.samples) * Sampler::PeriodNs(kRate));
  EXPECT_NEAR(absl::FDivDuration(sampled, used), 1.0, 0.01)
      << sampled << " sampled, " << used << " used";
  EXPECT_EQ(count.exits, 1);
}

// Also on kernels whose timers are late, in a virtual machine: `make test-kernels`.
TEST(Sampler, StacksAreWhole) {
  if (geteuid() != 0) GTEST_SKIP() << "BPF needs root";
  CountOf count;
  SampleProgram(kSeconds, count);
  ASSERT_GT(count.samples, 100u);
  EXPECT_GT(count.with_user_stack, count.samples * 95 / 100);
  // Before the new image is known, up to 100 ms, only some stacks a second are kept to be unwound
  // later: at this rate not all.
  EXPECT_GT(count.whole, count.with_user_stack * 97 / 100) << ::testing::PrintToString(count.stops);
  // work() calls hot() at one place, with 70 % of the time.
  std::uint64_t most = 0;
  for (const auto& [address, samples] : count.by_caller) most = std::max(most, samples);
  EXPECT_NEAR(static_cast<double>(most) / static_cast<double>(count.samples), 0.70, 0.03);
}

TEST(Sampler, TakesNothingOnceStopped) {
  if (geteuid() != 0) GTEST_SKIP() << "BPF needs root";
  auto live = LiveUnwinder::Start(kRate, ::testing::TempDir() + "/tables",
                                  [](const ProcessPtr&, const RawSample&) {});
  ASSERT_TRUE(live.ok()) << live.status();
  Sampler& sampler = (*live)->sampler();
  sampler.Stop();
  const std::uint64_t before = sampler.ReadStats()[STOKER_STAT_TAKEN];
  const absl::Time end = absl::Now() + absl::Milliseconds(100);
  volatile std::uint64_t spin = 0;
  while (absl::Now() < end) spin = spin + 1;
  EXPECT_EQ(sampler.ReadStats()[STOKER_STAT_TAKEN], before);
}

}  // namespace
}  // namespace stoker::ebpf
