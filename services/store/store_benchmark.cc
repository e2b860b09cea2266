// Figures of the store against its goals, with distinct profiles of 1,000 stacks (busy_program.h):
// profiles pushed a second on one core, an hour of one service merged from 50 instances at 15 s,
// with and without what an earlier query left in memory, and the disk it takes.
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <unistd.h>

#include "services/common/http/connect.h"
#include "services/common/pprof/gzip.h"
#include "services/common/testing/fake_clock.h"
#include "services/store/busy_program.h"
#include "services/store/flame_graph.h"
#include "services/store/metrics.h"
#include "services/store/pusher.h"
#include "services/store/query.h"
#include "services/store/storage.h"

namespace stoker::store {
namespace {

constexpr int kInstances = 50;
constexpr int kSamples = 1'000;
constexpr int kTicks = 240;
constexpr int kPushes = 4'000;

model::Labels LabelsOf(int instance) {
  return {
      {"__name__", "process_cpu"}, {"service_name", "app"}, {"instance", std::to_string(instance)}};
}

// A folder that goes with the process.
class Folder {
 public:
  explicit Folder(const std::string& name)
      : path_(std::filesystem::temp_directory_path() /
              ("stoker_" + name + "_" + std::to_string(::getpid()))) {
    std::filesystem::remove_all(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  [[nodiscard]] std::string path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// Profiles as they are pushed. Made once: it takes longer than storing them.
struct Pushes {
  static const Pushes& Get() {
    static const Pushes pushes;
    return pushes;
  }

  Pushes() {
    const BusyProgram program(1);
    for (int n = 0; n < kPushes; ++n) {
      const std::string profile =
          program.Profile(absl::ToUnixNanos(clock.Now()), static_cast<std::uint64_t>(n), kSamples);
      inflated_bytes += profile.size();
      raw.push_back(pprof::Gzip(profile, 6));
      gzip_bytes += raw.back().size();
    }
  }

  testing::FakeClock clock;
  std::vector<std::string> raw;
  std::size_t gzip_bytes = 0;
  std::size_t inflated_bytes = 0;
};

// Profiles a second on one core: inflate, check, log, intern. Each is pushed once. Blocks are made
// beside it, untimed.
void BM_Push(benchmark::State& state) {
  const Pushes& pushes = Pushes::Get();
  const Folder folder("push");
  const auto storage = *Storage::Open({.dir = folder.path()}, pushes.clock);
  std::size_t n = 0;
  for (auto _ : state) {
    const auto pushed =
        storage->Push(LabelsOf(static_cast<int>(n % kInstances)), pushes.raw[n], std::to_string(n));
    if (!pushed.ok()) state.SkipWithError("refused");
    if (++n % 1'000 == 0) {
      state.PauseTiming();
      if (!storage->Maintain().ok()) state.SkipWithError("maintenance fails");
      state.ResumeTiming();
    }
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["gzip_bytes"] = static_cast<double>(pushes.gzip_bytes) / kPushes;
  state.counters["inflated_bytes"] = static_cast<double>(pushes.inflated_bytes) / kPushes;
}
BENCHMARK(BM_Push)->Unit(benchmark::kMicrosecond)->Iterations(kPushes);

// The same as a call of PusherService, as senders make it, without the connection.
void BM_PushCall(benchmark::State& state) {
  const Pushes& pushes = Pushes::Get();
  const Folder folder("call");
  const auto storage = *Storage::Open({.dir = folder.path()}, pushes.clock);
  metrics::Registry registry;
  Metrics metrics(registry);
  Pusher pusher(*storage, metrics);
  const http::Handler call = http::Unary<push::v1::PushRequest, push::v1::PushResponse>(
      [&](const push::v1::PushRequest& request, const http::Context&) {
        return pusher.Push(request);
      });
  std::vector<http::Request> requests;
  for (int n = 0; n < kPushes; ++n) {
    push::v1::PushRequest push;
    push::v1::RawProfileSeries* const series = push.add_series();
    for (const model::LabelView label : LabelsOf(n % kInstances)) {
      types::v1::LabelPair* const pair = series->add_labels();
      pair->set_name(label.name.data(), label.name.size());
      pair->set_value(label.value.data(), label.value.size());
    }
    series->add_samples()->set_raw_profile(pushes.raw[static_cast<std::size_t>(n)]);
    series->mutable_samples(0)->set_id(std::to_string(n));
    http::Request& request = requests.emplace_back();
    request.method = "POST";
    request.headers.Add("Content-Type", "application/proto");
    request.body = push.SerializeAsString();
  }
  std::size_t n = 0;
  for (auto _ : state) {
    if (call(requests[n]).status != 200) state.SkipWithError("refused");
    if (++n % 1'000 == 0) {
      state.PauseTiming();
      if (!storage->Maintain().ok()) state.SkipWithError("maintenance fails");
      state.ResumeTiming();
    }
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_PushCall)->Unit(benchmark::kMicrosecond)->Iterations(kPushes);

// An hour of 50 instances of one service at 15 s, 12,000 profiles, in blocks. Made once.
class Hour {
 public:
  static const Hour& Get() {
    static const Hour hour;
    return hour;
  }

  [[nodiscard]] std::unique_ptr<Storage> Open() const {
    return *Storage::Open({.dir = folder_.path()}, clock_);
  }
  [[nodiscard]] std::uint64_t gzip_bytes() const { return gzip_bytes_; }

 private:
  Hour() {
    const auto storage = *Storage::Open({.dir = folder_.path()}, clock_);
    const BusyProgram program(1);
    std::uint64_t number = 0;
    for (int tick = 0; tick < kTicks; ++tick) {
      for (int instance = 0; instance < kInstances; ++instance) {
        const std::string raw =
            pprof::Gzip(program.Profile(absl::ToUnixNanos(clock_.Now()), ++number, kSamples), 6);
        gzip_bytes_ += raw.size();
        if (!storage->Push(LabelsOf(instance), raw, std::to_string(number)).ok()) std::abort();
      }
      clock_.Advance(absl::Seconds(15));
      if (!storage->Maintain().ok()) std::abort();
    }
    clock_.Advance(absl::Hours(3));
    for (int i = 0; i < 20; ++i) {
      if (!storage->Maintain().ok()) std::abort();
    }
  }

  const Folder folder_{"hour"};
  testing::FakeClock clock_;
  std::uint64_t gzip_bytes_ = 0;
};

void Merge(const Storage& storage) {
  const Query query(storage, {});
  const auto tree = query.MergeTree(*query.Series(Selector()));
  benchmark::DoNotOptimize(EncodeFlameGraph(*tree, 8'192));
}

// As a page that is looked at asks again and again.
void BM_SelectMergeStacktracesWarm(benchmark::State& state) {
  const auto storage = Hour::Get().Open();
  Merge(*storage);
  for (auto _ : state) Merge(*storage);
  const Storage::Sizes sizes = storage->sizes();
  const Query query(*storage, {});
  std::size_t stacks = 0;
  (void)query.ForEachSum(*query.Series(Selector()),
                         [&](const Symbols& symbols, std::span<const std::int64_t>) {
                           stacks += symbols.stacks().size();
                         });
  state.counters["stacks"] = static_cast<double>(stacks);
  state.counters["blocks"] = static_cast<double>(sizes.blocks);
  state.counters["disk_share_of_gzip"] =
      static_cast<double>(sizes.block_bytes) / static_cast<double>(Hour::Get().gzip_bytes());
}
BENCHMARK(BM_SelectMergeStacktracesWarm)->Unit(benchmark::kMillisecond);

// The first query of a process, the block files in the kernel's cache.
void BM_SelectMergeStacktracesCold(benchmark::State& state) {
  for (auto _ : state) {
    state.PauseTiming();
    auto storage = Hour::Get().Open();
    state.ResumeTiming();
    Merge(*storage);
    state.PauseTiming();
    storage.reset();
    state.ResumeTiming();
  }
}
BENCHMARK(BM_SelectMergeStacktracesCold)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace stoker::store
