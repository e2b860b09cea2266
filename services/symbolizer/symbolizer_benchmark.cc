// How many frames a core names and turns into profiles, from warm tables; and how fast a table
// answers.
#include <filesystem>
#include <random>
#include <string>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "services/common/wire/raw_stack_decoder.h"
#include "services/symbolizer/profile_assembler.h"
#include "services/symbolizer/table/table_writer.h"

namespace stoker::symbolizer {
namespace {

constexpr std::uint32_t kFunctions = 200'000;
constexpr std::uint64_t kFunctionBytes = 96;
constexpr int kDepth = 30;
constexpr int kSeries = 20;

// A large binary's table: functions of C++ names, end to end.
std::unique_ptr<TableStore> OpenStore(const symbol::v1::BinaryKey& key) {
  const std::string folder = std::filesystem::temp_directory_path() / "stoker_benchmark_tables";
  std::filesystem::remove_all(folder);
  auto store = *TableStore::Open(folder, std::uint64_t{1} << 30);
  std::vector<std::string> names;
  for (std::uint32_t i = 0; i < kFunctions; ++i) {
    names.push_back(fmt::format("_ZN6stoker5Class{0:06d}6method{0:06d}IiEEvRKSsi", i));
  }
  std::vector<elf::FunctionRange> ranges;
  for (std::uint32_t i = 0; i < kFunctions; ++i) {
    ranges.push_back({i * kFunctionBytes, (i + 1) * kFunctionBytes, names[i]});
  }
  const std::string id = TableId(key);
  if (!store->WriteFile(id, *WriteTable(ranges)).ok()) std::abort();
  store->Add(id);
  return store;
}

// An interval of `stacks` distinct stacks of kDepth frames, out of `frames` addresses.
std::string MakeBatch(const symbol::v1::BinaryKey& key, int stacks, std::uint32_t frames) {
  std::mt19937_64 random(1);
  sample::v1::RawStackBatch batch;
  batch.set_reset(true);
  batch.set_interval_end_ns(1);
  batch.add_strings("/usr/lib/libbig.so");
  batch.add_strings("service_name");
  sample::v1::Mapping& mapping = *batch.add_mappings();
  mapping.set_kind(sample::v1::Mapping::KIND_FILE);
  mapping.set_path(1);
  *mapping.mutable_binary() = key;
  for (std::uint32_t i = 0; i < frames; ++i) {
    sample::v1::Frame& frame = *batch.add_frames();
    frame.set_mapping(1);
    frame.set_address(random() % (kFunctions * kFunctionBytes));
    frame.set_is_return_address(true);
  }
  for (int i = 0; i < kSeries; ++i) {
    batch.add_strings(fmt::format("service-{}", i));
    sample::v1::Series& series = *batch.add_series();
    series.add_labels(2);
    series.add_labels(static_cast<std::uint32_t>(i) + 3);
  }
  for (int i = 0; i < stacks; ++i) {
    sample::v1::Stack& stack = *batch.add_stacks();
    for (int depth = 0; depth < kDepth; ++depth) {
      stack.add_frames(static_cast<std::uint32_t>(random() % frames) + 1);
    }
    batch.add_sample_series(static_cast<std::uint32_t>(i % kSeries));
    batch.add_sample_stack(static_cast<std::uint32_t>(i) + 1);
    batch.add_sample_count(1 + random() % 3);
  }
  return batch.SerializeAsString();
}

// Wire bytes to gzipped pprof: parse, decode, look up, demangle, assemble. Nothing is kept between
// two rounds but the mapped table: every frame is new, as on a new stream.
void BatchToProfiles(benchmark::State& state) {
  symbol::v1::BinaryKey key;
  key.set_build_id("benchmark");
  const auto store = OpenStore(key);
  const auto frames = static_cast<std::uint32_t>(state.range(0));
  constexpr int kStacks = 10'000;
  const std::string bytes = MakeBatch(key, kStacks, frames);
  sample::v1::Hello hello;
  hello.set_period(1);
  hello.set_demangle(static_cast<sample::v1::Hello::Demangle>(state.range(1)));
  for (auto _ : state) {
    sample::v1::RawStackBatch batch;
    if (!batch.ParseFromString(bytes)) std::abort();
    wire::RawStackDecoder decoder;
    auto decoded = decoder.Decode(batch);
    auto names = std::make_shared<FrameNames>(decoded->dictionary, hello.demangle(), "", *store);
    IntervalSamples interval;
    interval.parts.push_back({names, std::move(decoded->series), std::move(decoded->samples)});
    AssemblyCounts counts;
    benchmark::DoNotOptimize(AssembleProfiles(hello, interval, counts));
    if (counts.frames[static_cast<int>(Naming::kNamed)] != kStacks * kDepth) std::abort();
  }
  state.SetItemsProcessed(state.iterations() * kStacks * kDepth);
}
BENCHMARK(BatchToProfiles)
    ->ArgNames({"frames", "demangle"})
    ->Args({5'000, sample::v1::Hello::DEMANGLE_NONE})
    ->Args({5'000, sample::v1::Hello::DEMANGLE_FULL})
    ->Args({50'000, sample::v1::Hello::DEMANGLE_NONE})
    ->Args({50'000, sample::v1::Hello::DEMANGLE_SIMPLIFIED})
    ->Unit(benchmark::kMillisecond);

// Uniform random addresses of a large table, without any cache of answers.
void TableLookUp(benchmark::State& state) {
  symbol::v1::BinaryKey key;
  const auto store = OpenStore(key);
  const auto table = store->Find(TableId(key));
  std::mt19937_64 random(1);
  std::vector<std::uint64_t> addresses(1 << 16);
  for (auto& address : addresses) address = random() % (kFunctions * kFunctionBytes);
  std::size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(table->Name(*table->Find(addresses[i++ % addresses.size()])));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(TableLookUp);

}  // namespace
}  // namespace stoker::symbolizer
