#pragma once

#include <string_view>
#include <vector>

#include "services/collector/ebpf/unwind/row_set.h"
#include "services/collector/ebpf/unwind/rule_set.h"
#include "services/common/elf/byte_source.h"
#include "services/common/elf/elf_file.h"

namespace stoker::ebpf::unwind {

// What x86-64's C libraries have the kernel put on the stack for a signal handler to return to:
// mov $15, %rax; syscall
inline constexpr std::string_view kSigreturnCode("\x48\xc7\xc0\x0f\x00\x00\x00\x0f\x05", 9);

// Appends what can be said of x86-64 code between `known`, sorted, without a description: the stack
// ends where the program begins (glibc's dynamic linker, musl), and kSigreturnCode (musl) returns
// to what a signal interrupted. Reads at most 4 MiB of the file.
void AddUndescribedCode(const elf::ByteSource& source, const elf::ElfFile& file, const Text& text,
                        const std::vector<RowRange>& known, RuleSet& rules, RowSet& rows);

}  // namespace stoker::ebpf::unwind
