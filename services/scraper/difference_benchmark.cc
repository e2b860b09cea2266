// How fast differences of allocation profiles are taken, in inflated bytes, and what they remember.
#include <random>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "services/common/pprof/gzip.h"
#include "services/common/pprof/profile_builder.h"
#include "services/scraper/profile_check.h"
#include "services/scraper/profile_difference.h"

namespace stoker::scraper {
namespace {

constexpr std::size_t kSamples = 18'000;
constexpr std::size_t kFunctions = 9'000;
constexpr int kRounds = 16;

// A program like a busy Go server: stacks of 8 to 40 frames that share their roots; in each round
// one sample of 20 has grown.
std::vector<std::string> MakeRounds() {
  std::mt19937 random(7);
  std::vector<std::vector<std::size_t>> stacks(kSamples);
  for (auto& stack : stacks) {
    const std::size_t depth = 8 + random() % 33;
    std::size_t at = random() % kFunctions;
    for (std::size_t i = 0; i < depth; ++i, at = at * 2 / 3) stack.push_back(at);
  }
  std::vector<std::array<std::int64_t, 4>> values(kSamples);
  std::vector<std::string> rounds;
  for (int round = 0; round < kRounds; ++round) {
    pprof::ProfileBuilder builder;
    builder.AddSampleType("alloc_objects", "count");
    builder.AddSampleType("alloc_space", "bytes");
    builder.AddSampleType("inuse_objects", "count");
    builder.AddSampleType("inuse_space", "bytes");
    builder.SetTime(round * 15'000'000'000, 0);
    const std::uint64_t mapping = builder.AddMapping({.start = 0x400000, .filename = "/server"});
    for (std::size_t i = 0; i < kSamples; ++i) {
      if (round == 0 || random() % 20 == 0) {
        values[i][0] += random() % 1000;
        values[i][1] += random() % 1'000'000;
      }
      std::vector<std::uint64_t> locations;
      for (const std::size_t function : stacks[i]) {
        const std::uint64_t id = builder.AddFunction(
            {.name = fmt::format("example.com/server/internal/package{}.(*Type).Method{}",
                                 function % 50, function),
             .filename = fmt::format("/src/internal/package{}/file.go", function % 50)});
        locations.push_back(builder.AddLocation(mapping, 0x401000 + function * 64,
                                                {{.function_id = id, .line = 10}}));
      }
      const pprof::ProfileBuilder::Label label{
          .key = "bytes", .num = static_cast<std::int64_t>(i % 9) * 16, .num_unit = "bytes"};
      builder.AddSample(locations, values[i], {{label}});
    }
    rounds.push_back(std::move(builder).Finish());
  }
  return rounds;
}

const std::vector<std::string>& Rounds() {
  static const std::vector<std::string> rounds = MakeRounds();
  return rounds;
}

// From the inflated message to the gzip of the difference.
void BM_Difference(benchmark::State& state) {
  const std::vector<std::string>& rounds = Rounds();
  std::size_t round = 0;
  std::size_t bytes = 0;
  auto difference = std::make_unique<ProfileDifference>();
  for (auto _ : state) {
    if (round % kRounds == 0) {
      state.PauseTiming();
      difference = std::make_unique<ProfileDifference>();
      benchmark::DoNotOptimize(difference->Next(rounds[0]));
      round = 1;
      state.ResumeTiming();
    }
    bytes += rounds[round].size();
    auto result = difference->Next(rounds[round++]);
    if (!result.ok() || result->reset) state.SkipWithError("no difference");
    benchmark::DoNotOptimize(result);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
  state.counters["profile_bytes"] = static_cast<double>(rounds[0].size());
  state.counters["bytes_per_sample"] =
      static_cast<double>(difference->bytes()) / static_cast<double>(difference->samples());
}
BENCHMARK(BM_Difference);

// The check alone, gzip included, in inflated bytes.
void BM_Check(benchmark::State& state) {
  const std::string body = pprof::Gzip(Rounds()[0]);
  for (auto _ : state) benchmark::DoNotOptimize(CheckProfile(body, std::size_t{64} << 20));
  state.SetBytesProcessed(static_cast<std::int64_t>(Rounds()[0].size()) * state.iterations());
}
BENCHMARK(BM_Check);

}  // namespace
}  // namespace stoker::scraper
