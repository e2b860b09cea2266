#include "services/store/sample_codec.h"

#include <array>
#include <numeric>

#include "services/common/base/status.h"
#include "services/store/varint.h"

namespace stoker::store {
namespace {

// Calls `add(stack, value)` for each sample; `stacks` bounds what stacks may be.
template <typename Add>
absl::Status ForEachSample(std::string_view bytes, std::size_t stacks, Add&& add) {
  VarintReader reader(bytes);
  const std::uint64_t count = reader.Get();
  const std::uint64_t divisor = reader.Get();
  std::uint64_t stack = 0;
  for (std::uint64_t i = 0; i < count && reader.ok(); ++i) {
    stack += reader.Get();
    const std::uint64_t value = reader.Get() * divisor;
    if (stack >= stacks) return DataLoss("sample of stack {} of {}", stack, stacks);
    add(static_cast<std::uint32_t>(stack), static_cast<std::int64_t>(value));
  }
  if (!reader.ok()) return DataLoss("samples cut short");
  return absl::OkStatus();
}

// Sorts by stack, byte by byte from the lowest: the numbers are small and many, and a profile is
// sorted at each push.
void SortByStack(std::vector<StackValue>& samples) {
  std::uint32_t any = 0;
  for (const StackValue& sample : samples) any |= sample.stack;
  std::vector<StackValue> sorted(samples.size());
  for (unsigned shift = 0; shift < 32 && (any >> shift) != 0; shift += 8) {
    std::array<std::uint32_t, 257> ends = {};
    for (const StackValue& sample : samples) ++ends[(sample.stack >> shift & 0xff) + 1];
    std::partial_sum(ends.begin(), ends.end(), ends.begin());
    for (const StackValue& sample : samples) {
      sorted[ends[sample.stack >> shift & 0xff]++] = sample;
    }
    samples.swap(sorted);
  }
}

}  // namespace

std::int64_t EncodeSamples(std::vector<StackValue>& samples, std::string& out) {
  SortByStack(samples);
  std::size_t kept = 0;
  std::int64_t divisor = 0;
  std::int64_t total = 0;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    total += samples[i].value;
    if (kept > 0 && samples[kept - 1].stack == samples[i].stack) {
      samples[kept - 1].value += samples[i].value;
    } else {
      samples[kept++] = samples[i];
    }
  }
  samples.resize(kept);
  for (const StackValue& sample : samples) divisor = std::gcd(divisor, sample.value);
  PutVarint(samples.size(), out);
  PutVarint(static_cast<std::uint64_t>(divisor), out);
  std::uint32_t previous = 0;
  for (const StackValue& sample : samples) {
    PutVarint(sample.stack - previous, out);
    PutVarint(static_cast<std::uint64_t>(sample.value / divisor), out);
    previous = sample.stack;
  }
  return total;
}

absl::Status AddSamples(std::string_view bytes, std::span<std::int64_t> sums) {
  return ForEachSample(bytes, sums.size(),
                       [&](std::uint32_t stack, std::int64_t value) { sums[stack] += value; });
}

absl::Status DecodeSamples(std::string_view bytes, std::uint32_t stacks,
                           std::vector<StackValue>& samples) {
  samples.clear();
  return ForEachSample(bytes, stacks, [&](std::uint32_t stack, std::int64_t value) {
    samples.push_back({.stack = stack, .value = value});
  });
}

}  // namespace stoker::store
