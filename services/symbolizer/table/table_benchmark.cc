// How many uniformly random addresses a second a table names: symbols alone, of Debian's
// libLLVM-19, and with inlined functions, files and lines, of the file that STOKER_DEBUG_FILE
// names. Nothing is cached between lookups.
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <fcntl.h>

#include "services/common/base/unique_fd.h"
#include "services/common/elf/byte_source.h"
#include "services/common/elf/elf_file.h"
#include "services/symbolizer/table/elf_table.h"
#include "services/symbolizer/table/table.h"

namespace stoker::symbolizer {
namespace {

constexpr std::size_t kAddresses = 1 << 20;

struct Loaded {
  std::string bytes;
  std::shared_ptr<const Table> table;
  std::vector<std::uint64_t> addresses;
};

// Null where there is no such file.
std::unique_ptr<Loaded> Load(const char* path) {
  const UniqueFd fd(open(path, O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return nullptr;
  const auto source = *elf::OpenFdSource(fd.get());
  const auto file = *elf::ReadElfFile(*source);
  auto loaded = std::make_unique<Loaded>();
  loaded->bytes = *MakeElfTable(*source, file.sections, file.elf_class, 0);
  loaded->table = *Table::View(loaded->bytes);
  const elf::Section* text = file.FindSection(".text");
  std::mt19937_64 random(1);
  for (std::size_t i = 0; i < kAddresses; ++i) {
    loaded->addresses.push_back(text->address + random() % text->size);
  }
  return loaded;
}

void FindSymbols(benchmark::State& state) {
  const char* path = "/usr/lib/x86_64-linux-gnu/libLLVM.so.19.1";
  const std::unique_ptr<Loaded> loaded = Load(path);
  if (loaded == nullptr) return state.SkipWithError("libLLVM-19 is not installed");
  std::size_t i = 0;
  std::size_t named = 0;
  for (auto _ : state) {
    const auto range = loaded->table->Find(loaded->addresses[i++ % kAddresses]);
    if (range.has_value()) named += loaded->table->Name(*range).size();
  }
  benchmark::DoNotOptimize(named);
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(FindSymbols);

void FindInlinedAndLines(benchmark::State& state) {
  const char* path = std::getenv("STOKER_DEBUG_FILE");
  const std::unique_ptr<Loaded> loaded = path == nullptr ? nullptr : Load(path);
  if (loaded == nullptr) return state.SkipWithError("STOKER_DEBUG_FILE names no file");
  std::vector<Table::Frame> frames;
  std::size_t i = 0;
  std::size_t found = 0;
  for (auto _ : state) {
    loaded->table->Find(loaded->addresses[i++ % kAddresses], frames);
    found += frames.size();
  }
  state.counters["frames"] = static_cast<double>(found) / static_cast<double>(state.iterations());
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(FindInlinedAndLines);

}  // namespace
}  // namespace stoker::symbolizer
