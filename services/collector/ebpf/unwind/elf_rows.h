#pragma once

#include <vector>

#include <absl/status/statusor.h>

#include "services/collector/ebpf/unwind/machine.h"
#include "services/collector/ebpf/unwind/row_set.h"
#include "services/collector/ebpf/unwind/rule_set.h"
#include "services/common/elf/byte_source.h"

namespace stoker::ebpf::unwind {

// What an ELF file says of unwinding its code.
struct ElfRows {
  const Machine* machine = nullptr;
  Text text;
  RuleSet rules;
  RowSet rows;
  // All functions, sorted: those of .eh_frame, then what .gopclntab, then what .debug_frame adds.
  std::vector<RowRange> ranges;
};

// Reads .eh_frame, found by its section or, where sections are stripped, by PT_GNU_EH_FRAME; Go's
// .gopclntab; and .debug_frame, compressed or not. Memory and time are bounded: by RowSet, and by
// kMaxSectionBytes of each. INVALID_ARGUMENT for what is no program of a known machine,
// RESOURCE_EXHAUSTED past a bound. A file without any such information has no ranges.
absl::StatusOr<ElfRows> ReadElfRows(const elf::ByteSource& source);

inline constexpr std::uint64_t kMaxSectionBytes = std::uint64_t{256} << 20;

}  // namespace stoker::ebpf::unwind
