// Figures of the spool on a real disk: TMPDIR chooses it. bytes_per_second is by wall time,
// cpu_MB/s by the processor time of all threads: what one core can move.

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <string>

#include <absl/synchronization/blocking_counter.h>
#include <benchmark/benchmark.h>

#include "services/common/spool/committer.h"
#include "services/common/spool/spool.h"

namespace stoker::spool {
namespace {

constexpr std::size_t kRecordBytes = 64 << 10;

std::string Folder() {
  const char* root = std::getenv("TMPDIR");
  return std::string(root != nullptr ? root : "/var/tmp") + "/spool_benchmark";
}

std::string Payload() {
  std::string payload(kRecordBytes, '\0');
  for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<char>(i * 2654435761u);
  return payload;
}

struct Fixture {
  explicit Fixture(std::uint64_t limit = std::uint64_t{8} << 30) : max_bytes(limit) {
    std::filesystem::remove_all(Folder());
    Open();
  }
  ~Fixture() {
    spool.reset();
    std::filesystem::remove_all(Folder());
  }
  void Open() {
    spool.reset();
    auto opened = Spool::Open({.folder = Folder(), .max_bytes = max_bytes}, {"a"}, env, clock,
                              Metrics(registry, "benchmark"), {});
    if (!opened.ok()) std::abort();
    spool = *std::move(opened);
  }
  // Appends `records` records and waits until all are durable.
  void Fill(int records, const std::string& payload) {
    absl::BlockingCounter left(records);
    for (int i = 0; i < records; ++i) {
      spool->Append(payload, 1, [&](const absl::Status& status) {
        if (!status.ok()) std::abort();
        left.DecrementCount();
      });
    }
    left.Wait();
  }

  const std::uint64_t max_bytes;
  SystemEnv env;
  SystemClock clock;
  metrics::Registry registry;
  std::unique_ptr<Spool> spool;
};

// The bytes of a run and the processor time that all threads took for them.
class Cost {
 public:
  explicit Cost(benchmark::State& state) : state_(state), start_(std::clock()) {}

  void Report(std::int64_t bytes_per_iteration) {
    const std::int64_t bytes = state_.iterations() * bytes_per_iteration;
    const double seconds = static_cast<double>(std::clock() - start_) / CLOCKS_PER_SEC;
    state_.SetBytesProcessed(bytes);
    state_.counters["MB/s/core"] = static_cast<double>(bytes) / 1e6 / seconds;
  }

 private:
  benchmark::State& state_;
  const std::clock_t start_;
};

// Durable appends, `range` records of 64 KiB waiting at a time.
void BM_Append(benchmark::State& state) {
  Fixture fixture(std::uint64_t{2} << 30);
  Committer committer(*fixture.spool);
  const std::string payload = Payload();
  const int records = static_cast<int>(state.range(0));
  Cost cost(state);
  for (auto _ : state) fixture.Fill(records, payload);
  cost.Report(records * static_cast<std::int64_t>(kRecordBytes));
}
BENCHMARK(BM_Append)->Arg(8)->Arg(64)->Arg(256)->UseRealTime();

// The disk without a spool: the same bytes in one write and one fdatasync.
void BM_RawWriteAndSync(benchmark::State& state) {
  std::filesystem::create_directories(Folder());
  SystemEnv env;
  const std::string path = Folder() + "/raw";
  (void)env.Unlink(path);
  auto file = env.Create(path);
  if (!file.ok()) std::abort();
  const std::string group(static_cast<std::size_t>(state.range(0)) * kRecordBytes, 'x');
  std::uint64_t written = 0;
  Cost cost(state);
  for (auto _ : state) {
    if (!(*file)->Append(group).ok() || !(*file)->Sync().ok()) std::abort();
    written += group.size();
    if (written < (std::uint64_t{1} << 30)) continue;
    state.PauseTiming();
    (void)env.Unlink(path);
    file = env.Create(path);
    written = 0;
    state.ResumeTiming();
  }
  cost.Report(static_cast<std::int64_t>(group.size()));
  std::filesystem::remove_all(Folder());
}
BENCHMARK(BM_RawWriteAndSync)->Arg(8)->Arg(64)->Arg(256)->UseRealTime();

// Append, read and finish: all that a record costs on its way through.
void BM_Through(benchmark::State& state) {
  Fixture fixture;
  Committer committer(*fixture.spool);
  const std::string payload = Payload();
  constexpr int kRecords = 256;
  Cost cost(state);
  for (auto _ : state) {
    fixture.Fill(kRecords, payload);
    for (int left = kRecords; left > 0;) {
      const auto records = fixture.spool->Read("a", 64, 8 << 20);
      if (!records.ok()) std::abort();
      for (const auto& record : *records) fixture.spool->Done("a", record.sequence);
      left -= static_cast<int>(records->size());
    }
  }
  cost.Report(kRecords * static_cast<std::int64_t>(kRecordBytes));
}
BENCHMARK(BM_Through)->UseRealTime();

// Opening a spool with 1 GiB in it, after a clean end (range 0) and after a crash that left the
// last file without a footer (range 1).
void BM_Recover(benchmark::State& state) {
  Fixture fixture;
  {
    Committer committer(*fixture.spool);
    const std::string payload = Payload();
    for (int i = 0; i < 64; ++i) fixture.Fill(256, payload);
  }
  fixture.Open();
  for (auto _ : state) {
    state.PauseTiming();
    fixture.spool.reset();
    std::string first;
    const auto names = fixture.env.List(Folder());
    for (const std::string& name : *names) {
      if (first.empty() && ParseSegmentName(name)) first = name;
    }
    const auto path = std::filesystem::path(Folder()) / first;
    if (state.range(0) == 1) {
      const auto size = std::filesystem::file_size(path);
      std::filesystem::resize_file(path, size - kFooterBytes);
    }
    state.ResumeTiming();
    fixture.Open();
    if (fixture.spool->state().samples != 64 * 256) std::abort();
  }
}
BENCHMARK(BM_Recover)->Arg(0)->Arg(1)->Iterations(1)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace stoker::spool
