#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "services/common/elf/elf_file.h"
#include "services/common/elf/symbols.h"

namespace stoker::elf {

// Addresses [begin, end) that one function has.
struct FunctionRange {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::string_view name;
  auto operator<=>(const FunctionRange&) const = default;
};

// The ranges of `symbols`, ascending and disjoint. Of several symbols of one address the highest
// rank names it; one within another has its own part; one without a size ends where the next begins
// or its section ends, and is left out within one that has a size. Names point where those of
// `symbols` point.
std::vector<FunctionRange> ToFunctionRanges(std::vector<Symbol> symbols,
                                            const std::vector<Section>& sections);

}  // namespace stoker::elf
