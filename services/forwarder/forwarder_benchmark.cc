// Profiles through core and spool on a real disk (TMPDIR chooses it), to a far end that takes all
// at once. MB/s/core and profiles/s/core are by the processor time of all threads.

#include <atomic>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <string>

#include <absl/synchronization/blocking_counter.h>
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "services/common/base/env.h"
#include "services/common/spool/committer.h"
#include "services/forwarder/delivery_thread.h"

namespace stoker::forwarder {
namespace {

std::atomic<std::int64_t> taken = 0;

class TakesAll final : public PushClient {
 public:
  void Post(HttpPost post, std::function<void(HttpAnswer)> done) override {
    benchmark::DoNotOptimize(post.body.data());
    done({.status = 200});
    taken.fetch_add(1);
    taken.notify_all();
  }
};

profile::v1::Profile MakeProfile(std::size_t bytes) {
  profile::v1::Profile profile;
  profile.set_id("0123456789abcdef");
  profile.set_samples(100);
  profile.set_pprof(std::string(bytes, 'p'));
  for (int i = 0; i < 12; ++i) {
    auto& label = *profile.add_labels();
    label.set_name(fmt::format("label_{:02}", i));
    label.set_value("a value of usual length");
  }
  return profile;
}

// Range: bytes of one profile's pprof.
void BM_Through(benchmark::State& state) {
  const char* root = std::getenv("TMPDIR");
  const std::string folder = std::string(root != nullptr ? root : "/var/tmp") + "/forwarder_bench";
  std::filesystem::remove_all(folder);
  SystemEnv env;
  SystemClock clock;
  SystemRandom random;
  metrics::Registry registry;
  Settings settings;
  settings.writers["pyroscope.write.x"].endpoints.push_back({.url = "http://a"});
  auto forwarder = Forwarder::Open({.folder = folder}, settings, env, clock, random, registry,
                                   [](const auto&) { return std::make_unique<TakesAll>(); });
  if (!forwarder.ok()) std::abort();
  const auto bytes = static_cast<std::size_t>(state.range(0));
  const profile::v1::Profile profile = MakeProfile(bytes);
  const int profiles = static_cast<int>((std::size_t{16} << 20) / bytes);
  {
    spool::Committer committer((*forwarder)->spool());
    DeliveryThread delivery(**forwarder, [] {});
    const std::clock_t start = std::clock();
    for (auto _ : state) {
      const std::int64_t wanted = taken + profiles;
      absl::BlockingCounter accepted(profiles);
      for (int i = 0; i < profiles; ++i) {
        (*forwarder)->Push(profile, [&](const profile::v1::Answer& answer) {
          if (!answer.has_accepted()) std::abort();
          accepted.DecrementCount();
        });
      }
      accepted.Wait();
      for (auto now = taken.load(); now < wanted; now = taken.load()) taken.wait(now);
    }
    const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    const double total = static_cast<double>(state.iterations()) * profiles;
    state.counters["profiles/s/core"] = total / seconds;
    state.counters["MB/s/core"] = total * static_cast<double>(bytes) / 1e6 / seconds;
    state.SetBytesProcessed(static_cast<std::int64_t>(total) * static_cast<std::int64_t>(bytes));
  }
  std::filesystem::remove_all(folder);
}
BENCHMARK(BM_Through)->Arg(4 << 10)->Arg(32 << 10)->Arg(256 << 10)->UseRealTime();

}  // namespace
}  // namespace stoker::forwarder
