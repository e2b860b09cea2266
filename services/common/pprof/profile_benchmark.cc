#include <random>
#include <string>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>

#include "services/common/pprof/gzip.h"
#include "services/common/pprof/merge.h"
#include "services/common/pprof/profile_builder.h"
#include "services/common/pprof/reader.h"

namespace stoker::pprof {
namespace {

// 1,000 samples of 30 frames over 3,000 functions: about what a busy process gives in 15 s.
std::string Encode(unsigned seed) {
  std::mt19937 random(seed);
  ProfileBuilder builder;
  builder.AddSampleType("cpu", "nanoseconds");
  builder.SetPeriod("cpu", "nanoseconds", 10'309'278);
  builder.SetTime(1, 1);
  const std::uint64_t mapping = builder.AddMapping({.filename = "/bin/app", .build_id = "abcd"});
  std::vector<std::uint64_t> stack(30);
  for (int i = 0; i < 1'000; ++i) {
    std::uint32_t at = 0;
    for (std::size_t depth = stack.size(); depth-- > 0;) {
      at = at * 7 % 3'000 + random() % 3;
      const std::string name = "company::product::component::Function" + std::to_string(at);
      const std::uint64_t function =
          builder.AddFunction({.name = name, .filename = "component.cc"});
      stack[depth] = builder.AddLocation(mapping, at * 16, {{function, at}});
    }
    builder.AddSample(stack, std::vector<std::int64_t>{10'309'278});
  }
  return std::move(builder).Finish();
}

void BM_Build(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(Encode(1));
  state.SetItemsProcessed(state.iterations() * 1'000);
}
BENCHMARK(BM_Build);

void BM_Gzip(benchmark::State& state) {
  const std::string bare = Encode(1);
  std::size_t size = 0;
  for (auto _ : state) benchmark::DoNotOptimize(size = Gzip(bare).size());
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bare.size()));
  state.counters["gzip_bytes"] = static_cast<double>(size);
}
BENCHMARK(BM_Gzip);

void BM_Read(benchmark::State& state) {
  const std::string bytes = state.range(0) != 0 ? Gzip(Encode(1)) : Encode(1);
  for (auto _ : state) benchmark::DoNotOptimize(Read(bytes));
  state.SetItemsProcessed(state.iterations() * 1'000);
}
BENCHMARK(BM_Read)->ArgName("gzip")->Arg(0)->Arg(1);

void BM_Merge(benchmark::State& state) {
  std::vector<Profile> profiles;
  for (unsigned seed = 0; seed < 10; ++seed) profiles.push_back(*Read(Encode(seed)));
  for (auto _ : state) {
    Merge merge;
    for (const Profile& profile : profiles) {
      if (!merge.Add(profile).ok()) state.SkipWithError("types differ");
    }
    benchmark::DoNotOptimize(std::move(merge).Finish());
  }
  state.SetItemsProcessed(state.iterations() * 10'000);
}
BENCHMARK(BM_Merge);

}  // namespace
}  // namespace stoker::pprof
