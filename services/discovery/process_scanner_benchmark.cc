// What it costs to follow the processes of a host: the first look, and the looks after it, at a
// recorded /proc of regular files. On this machine's own /proc, BM_ThisHost.
#include <filesystem>

#include <benchmark/benchmark.h>
#include <unistd.h>

#include "services/discovery/fake_proc.h"
#include "services/discovery/process_scanner.h"

namespace stoker::discovery {
namespace {

constexpr absl::Duration kRefresh = absl::Seconds(60);

std::string NoName(uid_t) { return {}; }

class Fixture {
 public:
  explicit Fixture(int processes)
      : proc_(std::filesystem::temp_directory_path() /
              fmt::format("stoker_scan_{}_{}", getpid(), processes)) {
    for (int pid = 1; pid <= processes; ++pid) proc_.Put({.pid = pid});
  }
  [[nodiscard]] ProcessScanner Scanner() const {
    return {procfs::ProcessReader(proc_.root()), NoName};
  }

 private:
  const FakeProc proc_;
};

void BM_FirstScan(benchmark::State& state) {
  const Fixture fixture(static_cast<int>(state.range(0)));
  for (auto _ : state) {
    ProcessScanner scanner = fixture.Scanner();
    benchmark::DoNotOptimize(scanner.Scan(absl::ZeroDuration(), kRefresh));
  }
}
BENCHMARK(BM_FirstScan)->Arg(2000)->Arg(10'000)->Unit(benchmark::kMillisecond);

// Looks as they come, 1.25 a second, with the turns of the refresh.
void Follow(ProcessScanner scanner, benchmark::State& state) {
  absl::Duration now = absl::ZeroDuration();
  for (int i = 0; i < 160; ++i) {
    benchmark::DoNotOptimize(scanner.Scan(now, kRefresh));
    now += absl::Milliseconds(800);
  }
  for (auto _ : state) {
    benchmark::DoNotOptimize(scanner.Scan(now, kRefresh));
    now += absl::Milliseconds(800);
  }
}

void BM_NextScans(benchmark::State& state) {
  const Fixture fixture(static_cast<int>(state.range(0)));
  Follow(fixture.Scanner(), state);
}
BENCHMARK(BM_NextScans)->Arg(2000)->Arg(10'000)->Unit(benchmark::kMillisecond)->Iterations(160);

void BM_ThisHost(benchmark::State& state) {
  Follow(ProcessScanner(procfs::ProcessReader(), NoName), state);
}
BENCHMARK(BM_ThisHost)->Unit(benchmark::kMillisecond)->Iterations(160);

}  // namespace
}  // namespace stoker::discovery
