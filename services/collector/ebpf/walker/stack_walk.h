#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "bpf/shared/records.h"
#include "services/collector/ebpf/walker/memory.h"

namespace stoker::ebpf::walker {

// A part of a thread's memory, as it was at `address`.
struct StackCopy {
  std::uint64_t address = 0;
  std::span<const std::uint8_t> bytes;
};

struct StackWalk {
  // The innermost first: the instruction, then return addresses.
  std::vector<__u64> frames;
  stoker_stop stop = STOKER_STOP_COMPLETE;
  // The address that `stop` is about: of an instruction, or within one that calls.
  std::uint64_t last_address = 0;
};

// Unwinds a stack with the kernel walker's own code. Time and memory are bounded by
// STOKER_MAX_USER_FRAMES, whatever the bytes are.
StackWalk WalkStack(Memory& memory, const stoker_unwind_process& process,
                    const stoker_registers& registers, const StackCopy& stack);

// As stoker_unwind_page.used tells time.
std::uint32_t WalkerTime();

}  // namespace stoker::ebpf::walker
