// Proves on the real kernel that the time a program's threads are not on a CPU comes with the place
// that waited, why, and as long as the program measured itself.
#include <algorithm>
#include <array>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <absl/time/clock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "services/collector/ebpf/sampler.h"
#include "tests/bpf/live_unwinder.h"

namespace stoker::ebpf {
namespace {

constexpr char kProgram[] = "tests/fixtures/waits";
constexpr absl::Duration kUnwanted = absl::Minutes(1);

// Of the main thread of one process: nanoseconds by the kind of wait, and by the function that main
// called.
struct Waited {
  std::map<stoker_wait, double> by_kind;
  std::map<std::uint64_t, double> by_address;
  std::uint64_t samples = 0;
  std::uint64_t whole = 0;
  std::uint64_t with_kernel = 0;

  void Add(const RawSample& sample) {
    const auto value = static_cast<double>(sample.value);
    ++samples;
    by_kind[sample.wait] += value;
    if (!sample.kernel.empty()) ++with_kernel;
    if (sample.stop == STOKER_STOP_COMPLETE && !sample.user.empty()) ++whole;
    for (const std::uint64_t address : sample.user) by_address[address] += value;
  }
};

// A program that runs, and what it prints.
struct Program {
  pid_t pid = -1;
  int output = -1;
};

Program StartProgram(const char* seconds, const char* mode) {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) return {};
  const pid_t pid = fork();
  if (pid == 0) {
    dup2(ends[1], STDOUT_FILENO);
    execl(kProgram, kProgram, seconds, mode, nullptr);
    _exit(127);
  }
  close(ends[1]);
  return {.pid = pid, .output = ends[0]};
}

// What it measured, by place.
std::map<std::string, double> ReadMeasured(const Program& program) {
  std::string text;
  std::array<char, 4096> buffer{};
  for (ssize_t bytes = 0; (bytes = read(program.output, buffer.data(), buffer.size())) > 0;) {
    text.append(buffer.data(), static_cast<std::size_t>(bytes));
  }
  close(program.output);
  std::map<std::string, double> measured;
  std::istringstream lines(text);
  std::string place;
  for (double ns = 0; lines >> place >> ns;) measured[place] = ns;
  return measured;
}

std::unique_ptr<LiveUnwinder> StartSampler(double threshold, LiveUnwinder::OnSample on_sample) {
  auto live = LiveUnwinder::Start(SamplerKind::OffCpu(threshold), ::testing::TempDir() + "/tables",
                                  std::move(on_sample));
  EXPECT_TRUE(live.ok()) << live.status();
  return live.ok() ? *std::move(live) : nullptr;
}

struct Outcome {
  Waited waited;
  std::map<std::string, double> measured;
  SamplerStats stats{};
};

// Samples the program's main thread.
Outcome SampleProgram(double threshold, const char* seconds, const char* mode = nullptr) {
  Outcome outcome;
  std::uint32_t pid = 0;
  Sampler* sampler = nullptr;
  const auto live = StartSampler(threshold, [&](const ProcessPtr&, const RawSample& sample) {
    if (sample.pid == pid && sample.tid == pid) outcome.waited.Add(sample);
    // As the collector does of what is no target.
    if (sample.pid != pid) sampler->Unwanted(sample.pid, sample.start_ticks, kUnwanted);
  });
  if (live == nullptr) return outcome;
  sampler = &live->sampler();
  live->Run(absl::Seconds(2));
  const Program program = StartProgram(seconds, mode);
  pid = static_cast<std::uint32_t>(program.pid);
  int status = 0;
  while (waitpid(program.pid, &status, WNOHANG) == 0) live->Run(absl::Milliseconds(50));
  EXPECT_EQ(status, 0) << kProgram << " cannot be run";
  live->Stop();
  outcome.measured = ReadMeasured(program);
  outcome.stats = live->sampler().ReadStats();
  EXPECT_EQ(outcome.stats[STOKER_STAT_RING_FULL], 0u);
  for (const auto& [kind, ns] : outcome.waited.by_kind) {
    std::cout << "kind " << kind << ": " << ns / 1e9 << " s\n";
  }
  for (const auto& [place, ns] : outcome.measured) {
    std::cout << place << ": " << ns / 1e9 << " s\n";
  }
  std::cout << outcome.waited.samples << " samples, " << outcome.waited.whole << " whole, of "
            << outcome.stats[STOKER_STAT_WAITS] << " waits " << outcome.stats[STOKER_STAT_TAKEN]
            << " taken, not interrupted " << outcome.stats[STOKER_STAT_NOT_INTERRUPTED] << "\n";
  return outcome;
}

double Sum(const std::map<std::string, double>& measured) {
  double sum = 0;
  for (const auto& [place, ns] : measured) sum += ns;
  return sum;
}

TEST(OffCpu, WaitsAreAsLongAsMeasured) {
  if (geteuid() != 0) GTEST_SKIP() << "BPF needs root";
  Outcome outcome = SampleProgram(1, "20");
  ASSERT_GT(outcome.waited.samples, 100u);
  double sum = 0;
  for (const auto& [kind, ns] : outcome.waited.by_kind) sum += ns;
  EXPECT_NEAR(sum / Sum(outcome.measured), 1.0, 0.03);
  const double slept = outcome.measured["sleep_long"] + outcome.measured["sleep_short"] +
                       outcome.measured["wait_for_lock"];
  EXPECT_NEAR(outcome.waited.by_kind[STOKER_WAIT_SLEEP] / slept, 1.0, 0.1);
  EXPECT_GT(outcome.waited.whole, outcome.waited.samples * 9 / 10);
  EXPECT_EQ(outcome.waited.with_kernel, outcome.waited.samples);
  EXPECT_LE(outcome.stats[STOKER_STAT_NOT_INTERRUPTED], outcome.stats[STOKER_STAT_TAKEN] / 100);
}

// Half of the switches stand for all.
TEST(OffCpu, AThresholdWeighsWhatItLeaves) {
  if (geteuid() != 0) GTEST_SKIP() << "BPF needs root";
  Outcome outcome = SampleProgram(0.5, "20");
  double sum = 0;
  for (const auto& [kind, ns] : outcome.waited.by_kind) sum += ns;
  // A few hundred waits, drawn one by one.
  EXPECT_NEAR(sum / Sum(outcome.measured), 1.0, 0.25);
}

// Two programs burn on one CPU: each waits for it half of the time, ready to run.
TEST(OffCpu, WhoCouldRunIsPreempted) {
  if (geteuid() != 0) GTEST_SKIP() << "BPF needs root";
  cpu_set_t before;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(0, &one);
  ASSERT_EQ(sched_getaffinity(0, sizeof(before), &before), 0);
  ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
  const Program other = StartProgram("6", "preempt");
  Outcome outcome = SampleProgram(1, "4", "preempt");
  sched_setaffinity(0, sizeof(before), &before);
  waitpid(other.pid, nullptr, 0);
  ReadMeasured(other);
  const double lost = outcome.measured["burn"];
  EXPECT_GT(lost, 1e9);
  EXPECT_NEAR(outcome.waited.by_kind[STOKER_WAIT_PREEMPTED] / lost, 1.0, 0.05);
}

TEST(OffCpu, TakesNothingOnceStoppedAndOfWhatNobodyWants) {
  if (geteuid() != 0) GTEST_SKIP() << "BPF needs root";
  const auto own = static_cast<std::uint32_t>(getpid());
  int taken = 0;
  std::uint64_t start_ticks = 0;
  const auto live = StartSampler(1, [&](const ProcessPtr&, const RawSample& sample) {
    if (sample.pid != own) return;
    start_ticks = sample.start_ticks;
    ++taken;
  });
  ASSERT_NE(live, nullptr);
  const auto sleep_and_count = [&] {
    taken = 0;
    for (int i = 0; i < 10; ++i) {
      absl::SleepFor(absl::Milliseconds(20));
      live->Run(absl::Milliseconds(20));
    }
    return taken;
  };
  EXPECT_GT(sleep_and_count(), 5);
  live->sampler().Unwanted(own, start_ticks, kUnwanted);
  // Each thread asks when it is chosen next.
  sleep_and_count();
  EXPECT_EQ(sleep_and_count(), 0);
  live->sampler().Stop();
  const std::uint64_t before = live->sampler().ReadStats()[STOKER_STAT_TAKEN];
  absl::SleepFor(absl::Milliseconds(100));
  EXPECT_EQ(live->sampler().ReadStats()[STOKER_STAT_TAKEN], before);
}

}  // namespace
}  // namespace stoker::ebpf
