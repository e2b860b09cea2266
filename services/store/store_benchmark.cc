// Figures of issue 4's measures: profiles of 1,000 samples, all distinct. Ten instances
// instead of fifty: making the input takes longest.
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "services/common/pprof/gzip.h"
#include "services/common/testing/fake_clock.h"
#include "services/store/flame_graph.h"
#include "services/store/profile_maker.h"
#include "services/store/query.h"
#include "services/store/storage.h"

namespace stoker::store {
namespace {

constexpr int kInstances = 10;
constexpr int kSamples = 1'000;

model::Labels LabelsOf(int instance) {
  return {
      {"__name__", "process_cpu"}, {"service_name", "app"}, {"instance", std::to_string(instance)}};
}

std::unique_ptr<Storage> OpenEmpty(const Clock& clock) {
  const std::string dir = std::filesystem::temp_directory_path() / "stoker_store_benchmark";
  std::filesystem::remove_all(dir);
  return *Storage::Open({.dir = dir}, clock);
}

// Profiles a second on one core: inflate, check, log, intern.
void BM_Push(benchmark::State& state) {
  testing::FakeClock clock;
  const auto storage = OpenEmpty(clock);
  std::vector<std::string> raw;
  std::size_t bytes = 0;
  for (unsigned i = 0; i < 100; ++i) {
    raw.push_back(pprof::Gzip(MakeBusyProfile(absl::ToUnixNanos(clock.Now()), 1, i, kSamples)));
    bytes += raw.back().size();
  }
  std::size_t n = 0;
  for (auto _ : state) {
    const auto pushed =
        storage->Push(LabelsOf(static_cast<int>(n % kInstances)), raw[n % raw.size()], "");
    if (!pushed.ok()) state.SkipWithError("refused");
    if (++n % 1'000 == 0) {
      state.PauseTiming();
      if (!storage->Maintain().ok()) state.SkipWithError("maintenance fails");
      state.ResumeTiming();
    }
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["gzip_bytes"] = static_cast<double>(bytes) / static_cast<double>(raw.size());
}
BENCHMARK(BM_Push)->Unit(benchmark::kMicrosecond);

// The merge of an hour of ten instances at 15 s, from blocks: 2,400 profiles.
void BM_SelectMergeStacktraces(benchmark::State& state) {
  testing::FakeClock clock;
  const auto storage = OpenEmpty(clock);
  std::uint64_t pushed_bytes = 0;
  unsigned n = 0;
  for (int tick = 0; tick < 240; ++tick) {
    for (int instance = 0; instance < kInstances; ++instance) {
      const std::string raw =
          pprof::Gzip(MakeBusyProfile(absl::ToUnixNanos(clock.Now()), 1, ++n, kSamples));
      pushed_bytes += raw.size();
      if (!storage->Push(LabelsOf(instance), raw, std::to_string(n)).ok()) {
        state.SkipWithError("refused");
      }
    }
    clock.Advance(absl::Seconds(15));
    if (!storage->Maintain().ok()) state.SkipWithError("maintenance fails");
  }
  clock.Advance(absl::Hours(2));
  for (int i = 0; i < 10; ++i) (void)storage->Maintain();
  for (auto _ : state) {
    const Query query(*storage, {});
    const auto tree = query.MergeTree(*query.Series(Selector()));
    benchmark::DoNotOptimize(EncodeFlameGraph(*tree, 8'192));
  }
  const Storage::Sizes sizes = storage->sizes();
  state.counters["profiles"] = n;
  state.counters["blocks"] = static_cast<double>(sizes.blocks);
  state.counters["disk_share_of_gzip"] =
      static_cast<double>(sizes.block_bytes) / static_cast<double>(pushed_bytes);
}
BENCHMARK(BM_SelectMergeStacktraces)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace stoker::store
