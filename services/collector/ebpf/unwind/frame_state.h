#pragma once

#include <cstdint>

#include "services/collector/ebpf/unwind/machine.h"
#include "services/collector/ebpf/unwind/rule_set.h"

namespace stoker::ebpf::unwind {

// How the CFA is computed at an address, as far as a rule can say it.
struct CfaState {
  enum class Kind : std::uint8_t {
    kUnset,
    // reg + offset
    kRegister,
    // *(reg + offset) + extra
    kDereference,
    // A stub of the procedure linkage table: sp + offset, and 8 more where (ip & 15) >= extra.
    kPlt,
    kUnsupported,
  };
  Kind kind = Kind::kUnset;
  std::uint32_t reg = 0;
  std::int32_t offset = 0;
  std::int32_t extra = 0;
};

// Where the caller's value of a register is.
struct SavedState {
  enum class Kind : std::uint8_t {
    // In the register itself. Also when nothing is said.
    kSame,
    kUndefined,
    // *(CFA + offset)
    kAtCfa,
    // CFA + offset
    kCfa,
    // In register `reg`.
    kRegister,
    // *(reg + offset)
    kAtRegister,
    kUnsupported,
  };
  Kind kind = Kind::kSame;
  std::uint32_t reg = 0;
  std::int32_t offset = 0;
};

// What call frame information says at one address of the registers that unwinding follows.
struct FrameState {
  CfaState cfa;
  SavedState bp;
  SavedState sp;
  SavedState return_address;
};

// The rule of a state. `signal_frame`: the information calls it one (augmentation S).
Rule ToRule(const FrameState& state, const Machine& machine, bool signal_frame);

// Of aarch64, whose registers the rule's fields do not number: in `registers`, this nibble stands
// for x30; and where the return address is in memory it is *(CFA + extra).
inline constexpr std::uint8_t kAarch64LinkRegister = 15;

}  // namespace stoker::ebpf::unwind
