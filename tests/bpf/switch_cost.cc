// Prints what off-CPU time costs the kernel at many switches a second, by its own count of run
// time, and what it costs user space to unwind and hand over the samples.
//
//   switch_cost [PAIRS]    PAIRS: of threads that pass a byte to and fro
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <thread>
#include <vector>

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include "services/collector/ebpf/unwind/table_job.h"
#include "services/common/elf/inspect.h"
#include "services/common/sandbox/worker.h"
#include "tests/bpf/live_unwinder.h"

namespace {

using stoker::ebpf::LiveUnwinder;
using stoker::ebpf::SamplerKind;

constexpr double kSeconds = 10;
// Between two bytes, so that the switches are about as many as are asked for.
constexpr int kTurns = 20'000;

struct Run {
  double runs = 0;
  double ns = 0;
};

// Of the loaded program of that name.
Run RunOf(std::string_view name) {
  Run run;
  for (__u32 id = 0; bpf_prog_get_next_id(id, &id) == 0;) {
    const int fd = bpf_prog_get_fd_by_id(id);
    bpf_prog_info info{};
    __u32 size = sizeof(info);
    if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &size) == 0 && name == info.name) {
      run.runs += static_cast<double>(info.run_cnt);
      run.ns += static_cast<double>(info.run_time_ns);
    }
    close(fd);
  }
  return run;
}

Run operator-(const Run& a, const Run& b) { return {a.runs - b.runs, a.ns - b.ns}; }

// Two threads on one CPU: each byte is two switches.
class Pair {
 public:
  explicit Pair(int cpu) {
    if (pipe(there_.data()) != 0 || pipe(back_.data()) != 0) std::exit(1);
    threads_[0] = std::thread([this, cpu] { Pass(cpu, back_[0], there_[1], true); });
    threads_[1] = std::thread([this, cpu] { Pass(cpu, there_[0], back_[1], false); });
  }
  ~Pair() {
    over_ = true;
    close(there_[1]);
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  void Pass(int cpu, int from, int to, bool first) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof(set), &set);
    char byte = 0;
    if (first && write(to, &byte, 1) != 1) return;
    while (!over_ && read(from, &byte, 1) == 1) {
      // Slows it to about the number of switches that is asked for.
      for (int i = 0; i < kTurns; ++i) asm volatile("");
      if (write(to, &byte, 1) != 1) break;
    }
    close(to);
  }
  std::array<int, 2> there_{};
  std::array<int, 2> back_{};
  std::array<std::thread, 2> threads_;
  std::atomic<bool> over_ = false;
};

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

void Measure(LiveUnwinder& live, const char* what) {
  // The step settles, and tables come.
  live.Run(absl::Seconds(5));
  const Run before = RunOf("on_switch");
  const Run interrupts_before = RunOf("on_interrupt");
  const stoker::ebpf::SamplerStats stats_before = live.sampler().ReadStats();
  const double cpu_before = CpuSeconds();
  live.Run(absl::Seconds(kSeconds));
  const Run switches = RunOf("on_switch") - before;
  const Run interrupts = RunOf("on_interrupt") - interrupts_before;
  const stoker::ebpf::SamplerStats stats = live.sampler().ReadStats();
  const double user = (CpuSeconds() - cpu_before) / kSeconds;
  const auto grown = [&](stoker_sampler_stat stat) {
    return static_cast<double>(stats[stat] - stats_before[stat]);
  };
  const double taken = grown(STOKER_STAT_TAKEN);
  std::printf("| %s | %.0f | %.0f | %.0f | %.0f | %.2f | %.0f | %.2f | %.2f | %.0f |\n", what,
              switches.runs / kSeconds, switches.ns / switches.runs, taken / kSeconds,
              interrupts.ns / taken, 100 * taken / grown(STOKER_STAT_WAITS),
              interrupts.runs / kSeconds, 100 * (switches.ns + interrupts.ns) / kSeconds / 1e9,
              100 * user, grown(STOKER_STAT_NOT_INTERRUPTED));
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  if (stoker::sandbox::IsWorker(argc, argv)) {
    return stoker::sandbox::RunWorker(
        argv, {{stoker::elf::kInspectJob, stoker::elf::InspectJob},
               {stoker::ebpf::unwind::kTableJob, stoker::ebpf::unwind::TableJob}});
  }
  const int pairs = argc > 1 ? std::atoi(argv[1]) : 2;
  const int stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
  std::unique_ptr<LiveUnwinder> running;
  // As the collector does of what is no target.
  const auto own = static_cast<std::uint32_t>(getpid());
  auto live = LiveUnwinder::Start(
      SamplerKind::OffCpu(1), "/tmp/stoker-switch-cost-tables",
      [&](const stoker::ebpf::ProcessPtr&, const stoker::ebpf::RawSample& sample) {
        if (sample.pid != own) {
          running->sampler().Unwanted(sample.pid, sample.start_ticks, absl::Minutes(1));
        }
      });
  if (stats < 0 || !live.ok()) return 1;
  running = *std::move(live);
  std::printf(
      "| load | switches/s | ns each | samples/s | ns each | share, %% | interrupts/s | "
      "kernel, %% of a core | user space, %% of a core | lost |\n"
      "|---|---|---|---|---|---|---|---|---|---|\n");
  Measure(*running, "as it is");
  std::vector<std::unique_ptr<Pair>> load;
  for (int i = 0; i < pairs; ++i) load.push_back(std::make_unique<Pair>(i % 2));
  Measure(*running, "pairs");
  load.clear();
  close(stats);
  return 0;
}
