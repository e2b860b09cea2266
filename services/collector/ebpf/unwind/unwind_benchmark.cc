// Reads and folds the unwind information of one large file, given by STOKER_UNWIND_FILE (by default
// Debian's libLLVM-19), which is in memory. rows/s counts rows as the file describes them.

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include <benchmark/benchmark.h>

#include "services/collector/ebpf/unwind/elf_rows.h"
#include "services/collector/ebpf/unwind/table_builder.h"

namespace stoker::ebpf::unwind {
namespace {

const std::string& FileBytes() {
  static const std::string bytes = [] {
    const char* const path = std::getenv("STOKER_UNWIND_FILE");
    std::ifstream file(path != nullptr ? path : "/usr/lib/x86_64-linux-gnu/libLLVM.so.19.1",
                       std::ios::binary);
    return std::string{std::istreambuf_iterator<char>(file), {}};
  }();
  return bytes;
}

void SetRate(benchmark::State& state, std::uint64_t rows) {
  state.counters["rows"] = static_cast<double>(rows);
  state.counters["rows/s"] =
      benchmark::Counter(static_cast<double>(rows * static_cast<std::uint64_t>(state.iterations())),
                         benchmark::Counter::kIsRate);
}

// From the file's bytes to rows, sorted.
void BM_Parse(benchmark::State& state) {
  const elf::MemorySource source(FileBytes());
  std::uint64_t rows = 0;
  for (auto _ : state) {
    const auto parsed = ReadElfRows(source);
    if (!parsed.ok()) {
      state.SkipWithError("the file cannot be read");
      return;
    }
    rows = parsed->rows.raw_rows;
    benchmark::DoNotOptimize(parsed->ranges.data());
  }
  SetRate(state, rows);
}
BENCHMARK(BM_Parse)->Unit(benchmark::kMillisecond);

// From rows to the bytes of the table.
void BM_Build(benchmark::State& state) {
  const elf::MemorySource source(FileBytes());
  const auto parsed = ReadElfRows(source);
  if (!parsed.ok()) {
    state.SkipWithError("the file cannot be read");
    return;
  }
  std::size_t bytes = 0;
  for (auto _ : state) {
    const TableContent content = BuildTable(*parsed);
    bytes = content.bodies.size() + content.rules.size() * sizeof(Rule);
  }
  SetRate(state, parsed->rows.raw_rows);
  state.counters["kB/MB text"] =
      static_cast<double>(bytes) / static_cast<double>(parsed->text.bytes) * 1000;
}
BENCHMARK(BM_Build)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace stoker::ebpf::unwind
