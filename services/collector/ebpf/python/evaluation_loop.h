#pragma once

#include <cstdint>
#include <vector>

#include "services/collector/ebpf/unwind/row_set.h"
#include "services/common/elf/byte_source.h"
#include "services/common/elf/elf_file.h"

namespace stoker::ebpf {

struct CodeRange {
  std::uint64_t start = 0;
  std::uint64_t bytes = 0;
  auto operator<=>(const CodeRange&) const = default;
};

// The parts that the compiler has moved away from `function`, where no symbol tells them (a file
// that was stripped): what its jumps lead into, other than a function's first instruction, as the
// file's call frame information has functions. At most three, those that are jumped into most.
std::vector<CodeRange> FindColdParts(const elf::ByteSource& source, const elf::ElfFile& file,
                                     const CodeRange& function);

// The calls by which `function`, and whatever it is inlined into, enters an evaluation loop that is
// made of functions that jump to one another: call *TABLE(, register, 8), all of one table, in a
// program that is not relocated. Ascending; none when it is not made so, or there are too many.
std::vector<CodeRange> FindLoopCalls(const elf::ByteSource& source, const elf::ElfFile& file,
                                     const CodeRange& function);

}  // namespace stoker::ebpf
