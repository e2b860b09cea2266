// Whatever bytes come: the reader refuses them, or gives a profile that can be split and merged
// without leaving its arrays.
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "services/common/pprof/merge.h"
#include "services/common/pprof/reader.h"
#include "services/common/pprof/split.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace stoker::pprof;
  const auto profile = Read({reinterpret_cast<const char*>(data), size},
                            {.max_bytes = 1 << 20, .max_samples = 10'000, .max_entries = 100'000});
  if (!profile.ok()) return 0;
  Merge merge;
  if (!merge.Add(*profile).ok() || !merge.Add(*profile).ok()) __builtin_trap();
  if (!Read(std::move(merge).Finish()).ok()) __builtin_trap();
  if (profile->samples.size() > 1'000) return 0;
  for (const auto& part : Split(*profile, {.max_samples = 100, .max_bytes = 4'096})) {
    if (!Read(part).ok()) __builtin_trap();
  }
  return 0;
}
