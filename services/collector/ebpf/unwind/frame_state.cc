#include "services/collector/ebpf/unwind/frame_state.h"

#include <optional>

namespace stoker::ebpf::unwind {
namespace {

using CfaKind = CfaState::Kind;
using SavedKind = SavedState::Kind;

// Of the kernel's struct ucontext on x86-64: where gregs has rsp and rip.
constexpr std::int32_t kUcontextSp = 160;
constexpr std::int32_t kUcontextIp = 168;

constexpr Rule kUnsupportedRule = {.cfa = STOKER_CFA_UNSUPPORTED};

// The ucontext's offset from sp in the kernel's signal frame: libc describes the trampoline by
// expressions that address the registers in it.
std::optional<std::int32_t> UcontextOffset(const FrameState& state, const Machine& machine) {
  if (machine.elf_machine != EM_X86_64) return std::nullopt;
  const CfaState& cfa = state.cfa;
  const SavedState& ra = state.return_address;
  if (cfa.kind != CfaKind::kDereference || cfa.reg != machine.sp || cfa.extra != 0) {
    return std::nullopt;
  }
  if (ra.kind != SavedKind::kAtRegister || ra.reg != machine.sp) return std::nullopt;
  const std::int32_t offset = cfa.offset - kUcontextSp;
  if (ra.offset - kUcontextIp != offset) return std::nullopt;
  return offset;
}

// An address by sp is one by the CFA where the CFA is sp and a constant.
SavedState ByCfa(SavedState saved, const CfaState& cfa, const Machine& machine) {
  if (saved.kind == SavedKind::kAtRegister && saved.reg == machine.sp &&
      cfa.kind == CfaKind::kRegister && cfa.reg == machine.sp) {
    return {.kind = SavedKind::kAtCfa, .reg = 0, .offset = saved.offset - cfa.offset};
  }
  return saved;
}

bool SetCfa(const CfaState& cfa, const Machine& machine, Rule& rule) {
  rule.cfa_offset = cfa.offset;
  switch (cfa.kind) {
    case CfaKind::kRegister:
    case CfaKind::kDereference: {
      const bool at = cfa.kind == CfaKind::kDereference;
      if (at) rule.extra = cfa.extra;
      if (cfa.reg == machine.sp) {
        rule.cfa = at ? STOKER_CFA_AT_SP : STOKER_CFA_SP;
      } else if (cfa.reg == machine.bp) {
        rule.cfa = at ? STOKER_CFA_AT_BP : STOKER_CFA_BP;
      } else if (cfa.reg < 16) {
        rule.cfa = at ? STOKER_CFA_AT_REGISTER : STOKER_CFA_REGISTER;
        rule.registers = static_cast<std::uint8_t>(cfa.reg);
      } else {
        return false;
      }
      return true;
    }
    case CfaKind::kPlt:
      rule.cfa = STOKER_CFA_PLT;
      rule.extra = cfa.extra;
      return true;
    case CfaKind::kUnset:
    case CfaKind::kUnsupported:
      break;
  }
  return false;
}

void SetBp(const SavedState& bp, const Machine& machine, Rule& rule) {
  rule.bp = STOKER_BP_UNKNOWN;
  if (bp.kind == SavedKind::kSame) rule.bp = STOKER_BP_SAME;
  if (bp.kind == SavedKind::kRegister && bp.reg == machine.bp) rule.bp = STOKER_BP_SAME;
  if (bp.kind == SavedKind::kAtCfa) {
    rule.bp = STOKER_BP_AT_CFA;
    rule.bp_offset = bp.offset;
  }
  if (bp.kind == SavedKind::kAtRegister && bp.reg == machine.bp) {
    rule.bp = STOKER_BP_AT_BP;
    rule.bp_offset = bp.offset;
  }
}

bool SetReturnAddress(const SavedState& ra, const Machine& machine, Rule& rule) {
  if (machine.return_address_in_register) {
    const bool in_link_register = ra.kind == SavedKind::kSame || (ra.kind == SavedKind::kRegister &&
                                                                  ra.reg == machine.return_address);
    if (in_link_register) {
      rule.ra = STOKER_RA_REGISTER;
      rule.registers |= kAarch64LinkRegister << 4;
      return true;
    }
    const bool extra_is_free = rule.cfa == STOKER_CFA_SP || rule.cfa == STOKER_CFA_BP;
    if (ra.kind != SavedKind::kAtCfa || !extra_is_free) return false;
    rule.extra = ra.offset;
    return true;
  }
  if (ra.kind == SavedKind::kAtCfa) return ra.offset == -machine.call_pushes;
  if (ra.kind != SavedKind::kRegister || ra.reg >= 16) return false;
  rule.ra = STOKER_RA_REGISTER;
  rule.registers |= static_cast<std::uint8_t>(ra.reg << 4);
  return true;
}

// The rules take it that the caller's sp is the CFA.
bool SpIsCfa(const SavedState& sp) {
  return sp.kind == SavedKind::kSame || (sp.kind == SavedKind::kCfa && sp.offset == 0);
}

}  // namespace

Rule ToRule(const FrameState& state, const Machine& machine, bool signal_frame) {
  if (state.return_address.kind == SavedKind::kUndefined) return {.cfa = STOKER_CFA_END};
  if (signal_frame) {
    if (const auto offset = UcontextOffset(state, machine)) {
      return {.cfa = STOKER_CFA_SIGNAL, .cfa_offset = *offset};
    }
  }
  Rule rule{};
  if (!SetCfa(state.cfa, machine, rule) || !SpIsCfa(state.sp)) return kUnsupportedRule;
  const SavedState ra = ByCfa(state.return_address, state.cfa, machine);
  if (!SetReturnAddress(ra, machine, rule)) return kUnsupportedRule;
  SetBp(ByCfa(state.bp, state.cfa, machine), machine, rule);
  return rule;
}

}  // namespace stoker::ebpf::unwind
