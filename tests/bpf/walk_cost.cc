// Prints what a stack of each depth costs the walker and, of the same stack, the kernel's own walk
// by frame pointers (bpf_get_stack), by the kernel's count of run time; and of Pythons what each
// frame of Python adds.
//
//   walk_cost PROGRAM [SCRIPT PYTHON...]      tests/fixtures/parked_framed, parked_python.py
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bpf/cpu_sampler.skel.h"
#include "bpf/frame_pointer_walk.skel.h"
#include "services/collector/ebpf/python/runtime.h"
#include "services/collector/ebpf/unwind/table_job.h"
#include "services/common/elf/inspect.h"
#include "services/common/sandbox/worker.h"
#include "tests/bpf/live_unwinder.h"

namespace {

using stoker::ebpf::LiveUnwinder;

constexpr int kRate = 997;
constexpr unsigned kSeconds = 4;

int OpenClock(pid_t pid) {
  perf_event_attr attributes{};
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.size = sizeof(attributes);
  attributes.config = PERF_COUNT_SW_CPU_CLOCK;
  attributes.sample_period = 1'000'000'000 / kRate;
  return static_cast<int>(
      syscall(SYS_perf_event_open, &attributes, pid, -1, -1, PERF_FLAG_FD_CLOEXEC));
}

double Per(std::uint64_t a, std::uint64_t b) {
  return b == 0 ? 0.0 : static_cast<double>(a) / static_cast<double>(b);
}

// Nanoseconds of a run of the program, on samples of `pid` for kSeconds.
double Measure(bpf_program* program, pid_t pid) {
  bpf_link* link = bpf_program__attach_perf_event(program, OpenClock(pid));
  sleep(kSeconds);
  bpf_prog_info info{};
  __u32 size = sizeof(info);
  bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size);
  bpf_link__destroy(link);
  return Per(info.run_time_ns, info.run_cnt);
}

std::uint64_t Stat(const cpu_sampler_bpf& walker, std::uint32_t key) {
  std::vector<std::uint64_t> values(static_cast<std::size_t>(libbpf_num_possible_cpus()));
  bpf_map_lookup_elem(bpf_map__fd(walker.maps.stats), &key, values.data());
  std::uint64_t sum = 0;
  for (const std::uint64_t value : values) sum += value;
  return sum;
}

cpu_sampler_bpf* LoadWalker(const LiveUnwinder& live) {
  cpu_sampler_bpf* walker = cpu_sampler_bpf__open();
  bpf_map__reuse_fd(walker->maps.unwind_parts, live.memory().parts_fd());
  bpf_map__reuse_fd(walker->maps.unwind_rules, live.memory().rules_fd());
  bpf_map__reuse_fd(walker->maps.unwind_processes, live.memory().processes_fd());
  if (cpu_sampler_bpf__load(walker) != 0) std::exit(1);
  return walker;
}

// A stack of a Python: nanoseconds, and its frames.
struct PythonCost {
  double ns = 0;
  double python_frames = 0;
  double native_frames = 0;
};

PythonCost MeasurePython(const char* python, const char* script, int depth, LiveUnwinder& live) {
  const pid_t pid = fork();
  if (pid == 0) {
    // What it says of its frames is not asked for here.
    if (std::freopen("/dev/null", "w", stdout) == nullptr) _exit(127);
    execl(python, python, "-IS", script, "depth", std::to_string(depth).c_str(), nullptr);
    _exit(127);
  }
  live.Run(absl::Seconds(3));
  cpu_sampler_bpf* walker = LoadWalker(live);
  PythonCost cost{.ns = Measure(walker->progs.on_cpu, pid)};
  const std::uint64_t walks = Stat(*walker, STOKER_STAT_WALKS);
  cost.python_frames = Per(Stat(*walker, STOKER_STAT_PYTHON_FRAMES), walks);
  cost.native_frames = Per(Stat(*walker, STOKER_STAT_WALKED_FRAMES), walks) - cost.python_frames;
  cpu_sampler_bpf__destroy(walker);
  kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
  return cost;
}

void ComparePython(const char* python, const char* script, LiveUnwinder& live) {
  const PythonCost few = MeasurePython(python, script, 10, live);
  const PythonCost many = MeasurePython(python, script, 300, live);
  std::printf("| %s | %.0f | %.0f | %.0f | %.0f | %.0f | %.0f | %.0f |\n", python,
              few.python_frames, few.native_frames, few.ns, many.python_frames, many.native_frames,
              many.ns, (many.ns - few.ns) / (many.python_frames - few.python_frames));
  std::fflush(stdout);
}

// The line of one depth.
void Compare(const char* program, int depth, LiveUnwinder& live) {
  const pid_t pid = fork();
  if (pid == 0) {
    execl(program, program, "depth", std::to_string(depth).c_str(), nullptr);
    _exit(127);
  }
  // Its tables come.
  live.Run(absl::Seconds(3));
  cpu_sampler_bpf* walker = LoadWalker(live);
  frame_pointer_walk_bpf* frame_pointers = frame_pointer_walk_bpf__open_and_load();
  if (frame_pointers == nullptr) std::exit(1);
  const double ours = Measure(walker->progs.on_cpu, pid);
  const double theirs = Measure(frame_pointers->progs.walk, pid);
  const double our_frames =
      Per(Stat(*walker, STOKER_STAT_WALKED_FRAMES), Stat(*walker, STOKER_STAT_WALKS));
  const double their_frames = Per(frame_pointers->bss->frames, frame_pointers->bss->walks);
  std::printf("| %d | %.0f | %.0f | %.1f | %.0f | %.0f | %.1f | %.2f |\n", depth, our_frames, ours,
              ours / our_frames, their_frames, theirs, theirs / their_frames,
              ours / our_frames / (theirs / their_frames));
  std::fflush(stdout);
  cpu_sampler_bpf__destroy(walker);
  frame_pointer_walk_bpf__destroy(frame_pointers);
  kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
}

}  // namespace

int main(int argc, char** argv) {
  if (stoker::sandbox::IsWorker(argc, argv)) {
    return stoker::sandbox::RunWorker(
        argv, {{stoker::elf::kInspectJob, stoker::elf::InspectJob},
               {stoker::ebpf::unwind::kTableJob, stoker::ebpf::unwind::TableJob},
               {stoker::ebpf::kPythonRuntimeJob, stoker::ebpf::PythonRuntimeJob}});
  }
  if (argc < 2) return 2;
  const int stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
  auto live =
      LiveUnwinder::Start(kRate, "/tmp/stoker-walk-cost-tables",
                          [](const stoker::ebpf::ProcessPtr&, const stoker::ebpf::RawSample&) {});
  if (stats < 0 || !live.ok()) return 1;
  std::printf(
      "| calls | frames | ns | ns a frame | frames of bpf_get_stack | ns | ns a frame | ratio |\n"
      "|---|---|---|---|---|---|---|---|\n");
  for (const int depth : {15, 110, 900}) Compare(argv[1], depth, **live);
  if (argc > 3) {
    std::printf(
        "| python | frames of Python | native | ns | frames of Python | native | ns | ns a frame "
        "more |\n|---|---|---|---|---|---|---|---|\n");
  }
  for (int i = 3; i < argc; ++i) ComparePython(argv[i], argv[2], **live);
  close(stats);
  return 0;
}
