#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>

namespace stoker::store {

// The value of one stack of a block's symbols.
struct StackValue {
  std::uint32_t stack = 0;
  std::int64_t value = 0;
  bool operator==(const StackValue&) const = default;
};

// Appends the samples of one profile: varints of their number and their values' greatest common
// divisor (samples of a CPU profile are multiples of its period), then of each the step from the
// stack before and the quotient. Sorts `samples` and adds up equal stacks; values are positive.
// Returns the total.
std::int64_t EncodeSamples(std::vector<StackValue>& samples, std::string& out);

// Adds the samples at the front of `bytes` to `sums`, one element for each stack. DATA_LOSS for
// bytes that EncodeSamples did not write.
absl::Status AddSamples(std::string_view bytes, std::span<std::int64_t> sums);

// The samples at the front of `bytes`, of stacks below `stacks`.
absl::Status DecodeSamples(std::string_view bytes, std::uint32_t stacks,
                           std::vector<StackValue>& samples);

}  // namespace stoker::store
