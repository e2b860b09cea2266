#include "services/collector/ebpf/unwind/cfi_oracle.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>
#include <random>

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <gelf.h>

#include "services/collector/ebpf/unwind/elf_rows.h"
#include "services/collector/ebpf/unwind/table.h"
#include "services/collector/ebpf/unwind/table_builder.h"
#include "services/common/base/status.h"
#include "services/common/base/unique_fd.h"
#include "services/common/elf/byte_source.h"

namespace stoker::ebpf::unwind {
namespace {

constexpr std::size_t kMaxExamples = 20;
// Where libdw knows nothing, every so many bytes are compared.
constexpr std::uint64_t kBlindStep = 16;
constexpr int kReturnRegister = 16;
constexpr int kBp = 6;
constexpr int kSp = 7;

// A machine that is made up: any address holds a word that depends on it alone.
struct State {
  std::uint64_t ip = 0;

  static std::uint64_t Register(std::uint64_t number) {
    return 0x7fff'0000'0000 + number * 0x100'0000;
  }
  static std::uint64_t Memory(std::uint64_t address) {
    std::uint64_t hash = (address ^ 0x5bd1'e995) * 0x9e37'79b9'7f4a'7c15;
    return hash ^ (hash >> 31);
  }
};

// What is known of the caller.
struct Caller {
  enum class Kind { kNone, kEnd, kKnown, kUnsupported };
  Kind kind = Kind::kNone;
  std::uint64_t cfa = 0;
  // Nothing: it cannot be known.
  std::optional<std::uint64_t> bp;
  std::optional<std::uint64_t> ip;
  bool operator==(const Caller&) const = default;
};

std::string ToText(const Caller& caller) {
  switch (caller.kind) {
    case Caller::Kind::kNone:
      return "none";
    case Caller::Kind::kEnd:
      return "end";
    case Caller::Kind::kUnsupported:
      return "unsupported";
    case Caller::Kind::kKnown:
      break;
  }
  return fmt::format("cfa={:x} bp={:x} ip={:x}", caller.cfa, caller.bp.value_or(0),
                     caller.ip.value_or(0));
}

// Applies a rule of ours.
Caller Apply(const Rule& rule, const State& state) {
  const std::uint64_t sp = State::Register(kSp);
  const std::uint64_t bp = State::Register(kBp);
  const std::uint64_t general = State::Register(rule.registers & 0xf);
  const auto offset = static_cast<std::uint64_t>(std::int64_t{rule.cfa_offset});
  const auto extra = static_cast<std::uint64_t>(std::int64_t{rule.extra});
  Caller caller = {.kind = Caller::Kind::kKnown};
  switch (rule.cfa) {
    case STOKER_CFA_NONE:
      return {};
    case STOKER_CFA_END:
      return {.kind = Caller::Kind::kEnd};
    case STOKER_CFA_SP:
      caller.cfa = sp + offset;
      break;
    case STOKER_CFA_BP:
      caller.cfa = bp + offset;
      break;
    case STOKER_CFA_AT_SP:
      caller.cfa = State::Memory(sp + offset) + extra;
      break;
    case STOKER_CFA_AT_BP:
      caller.cfa = State::Memory(bp + offset) + extra;
      break;
    case STOKER_CFA_REGISTER:
      caller.cfa = general + offset;
      break;
    case STOKER_CFA_AT_REGISTER:
      caller.cfa = State::Memory(general + offset) + extra;
      break;
    case STOKER_CFA_PLT:
      caller.cfa = sp + offset + ((state.ip & 15) >= extra ? 8 : 0);
      break;
    case STOKER_CFA_SIGNAL:
      caller.cfa = State::Memory(sp + offset + 160);
      caller.bp = State::Memory(sp + offset + 120);
      caller.ip = State::Memory(sp + offset + 168);
      return caller;
    default:
      return {.kind = Caller::Kind::kUnsupported};
  }
  const auto bp_offset = static_cast<std::uint64_t>(std::int64_t{rule.bp_offset});
  if (rule.bp == STOKER_BP_SAME) caller.bp = bp;
  if (rule.bp == STOKER_BP_AT_CFA) caller.bp = State::Memory(caller.cfa + bp_offset);
  if (rule.bp == STOKER_BP_AT_BP) caller.bp = State::Memory(bp + bp_offset);
  caller.ip = rule.ra == STOKER_RA_REGISTER ? State::Register(rule.registers >> 4)
                                            : State::Memory(caller.cfa - 8);
  return caller;
}

// Runs libdw's operations: the whole of DWARF's arithmetic that call frame information uses.
class Operations {
 public:
  Operations(const State& state, std::uint64_t cfa) : state_(state), cfa_(cfa) {}

  // The value on top at the end. `is_value`: it is the value, not where it is.
  std::optional<std::uint64_t> Run(const Dwarf_Op* ops, std::size_t count, bool& is_value) {
    is_value = false;
    for (std::size_t i = 0; i < count; ++i) {
      if (ops[i].atom == DW_OP_stack_value) {
        is_value = true;
      } else if (ops[i].atom == DW_OP_regx ||
                 (ops[i].atom >= DW_OP_reg0 && ops[i].atom <= DW_OP_reg31)) {
        is_value = true;
        Push(Register(ops[i].atom == DW_OP_regx ? ops[i].number : ops[i].atom - DW_OP_reg0));
      } else if (!Step(ops[i])) {
        return std::nullopt;
      }
    }
    if (stack_.empty()) return std::nullopt;
    return stack_.back();
  }

 private:
  [[nodiscard]] std::uint64_t Register(std::uint64_t number) const {
    return number == kReturnRegister ? state_.ip : State::Register(number);
  }
  void Push(std::uint64_t value) { stack_.push_back(value); }
  std::uint64_t Pop() {
    if (stack_.empty()) return 0;
    const std::uint64_t value = stack_.back();
    stack_.pop_back();
    return value;
  }

  bool Step(const Dwarf_Op& op) {
    if (op.atom >= DW_OP_lit0 && op.atom <= DW_OP_lit31) {
      Push(op.atom - DW_OP_lit0);
      return true;
    }
    if (op.atom >= DW_OP_breg0 && op.atom <= DW_OP_breg31) {
      Push(Register(op.atom - DW_OP_breg0) + op.number);
      return true;
    }
    switch (op.atom) {
      case DW_OP_bregx:
        Push(Register(op.number) + op.number2);
        return true;
      case DW_OP_call_frame_cfa:
        Push(cfa_);
        return true;
      case DW_OP_plus_uconst:
        Push(Pop() + op.number);
        return true;
      case DW_OP_deref:
        Push(State::Memory(Pop()));
        return true;
      case DW_OP_const1u:
      case DW_OP_const1s:
      case DW_OP_const2u:
      case DW_OP_const2s:
      case DW_OP_const4u:
      case DW_OP_const4s:
      case DW_OP_constu:
      case DW_OP_consts:
        Push(op.number);
        return true;
      default:
        return Binary(op.atom);
    }
  }

  bool Binary(std::uint8_t atom) {
    const std::uint64_t right = Pop();
    const std::uint64_t left = Pop();
    switch (atom) {
      case DW_OP_plus:
        Push(left + right);
        return true;
      case DW_OP_minus:
        Push(left - right);
        return true;
      case DW_OP_and:
        Push(left & right);
        return true;
      case DW_OP_shl:
        Push(left << (right & 63));
        return true;
      case DW_OP_mul:
        Push(left * right);
        return true;
      case DW_OP_ge:
        Push(static_cast<std::int64_t>(left) >= static_cast<std::int64_t>(right) ? 1 : 0);
        return true;
      default:
        return false;
    }
  }

  const State& state_;
  const std::uint64_t cfa_;
  std::vector<std::uint64_t> stack_;
};

// What libdw says at an address, and where that begins and ends.
struct Said {
  Caller caller;
  // By .debug_frame: Go's says nothing of bp.
  bool is_debug_frame = false;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

// The caller's value of a register; nothing where it is lost.
std::optional<std::uint64_t> RegisterOf(Dwarf_Frame* frame, int number, const State& state,
                                        std::uint64_t cfa, bool& supported) {
  Dwarf_Op memory[3];
  Dwarf_Op* ops = nullptr;
  std::size_t count = 0;
  if (dwarf_frame_register(frame, number, memory, &ops, &count) != 0) {
    supported = false;
    return std::nullopt;
  }
  if (count == 0) {
    if (ops == memory) return std::nullopt;
    return State::Register(static_cast<std::uint64_t>(number));
  }
  bool is_value = false;
  const auto found = Operations(state, cfa).Run(ops, count, is_value);
  supported = supported && found.has_value();
  if (!found || is_value) return found;
  return State::Memory(*found);
}

Said AskOne(Dwarf_CFI* cfi, std::uint64_t address) {
  Said said;
  Dwarf_Frame* raw = nullptr;
  if (cfi == nullptr || dwarf_cfi_addrframe(cfi, address, &raw) != 0) return said;
  const std::unique_ptr<Dwarf_Frame, decltype(&std::free)> frame(raw, &std::free);
  bool is_signal = false;
  dwarf_frame_info(frame.get(), &said.begin, &said.end, &is_signal);
  const State state = {.ip = address};
  said.caller.kind = Caller::Kind::kKnown;
  Dwarf_Op* ops = nullptr;
  std::size_t count = 0;
  bool is_value = false;
  bool supported = dwarf_frame_cfa(frame.get(), &ops, &count) == 0;
  const auto cfa = supported ? Operations(state, 0).Run(ops, count, is_value) : std::nullopt;
  said.caller.cfa = cfa.value_or(0);
  supported = supported && cfa.has_value();
  bool return_is_supported = true;
  said.caller.ip =
      RegisterOf(frame.get(), kReturnRegister, state, said.caller.cfa, return_is_supported);
  if (return_is_supported && !said.caller.ip) {
    said.caller = {.kind = Caller::Kind::kEnd};
    return said;
  }
  bool bp_is_supported = true;
  said.caller.bp = RegisterOf(frame.get(), kBp, state, said.caller.cfa, bp_is_supported);
  if (!supported || !return_is_supported || !bp_is_supported) {
    said.caller = {.kind = Caller::Kind::kUnsupported};
  }
  return said;
}

class Comparison {
 public:
  // Either may be null.
  Comparison(Dwarf_CFI* eh_frame, Dwarf_CFI* debug_frame, const Table& table)
      : eh_frame_(eh_frame), debug_frame_(debug_frame), table_(table) {}

  // Compares at one address; returns what libdw says there.
  Said At(std::uint64_t address) {
    const Said said = Ask(address);
    const Rule& rule = table_.Lookup(address);
    ++result_.addresses;
    Caller ours = Apply(rule, {.ip = address});
    if (said.is_debug_frame) ours.bp = said.caller.bp;
    if (ours == said.caller) {
      ++result_.agreeing;
    } else if (said.caller.kind == Caller::Kind::kNone &&
               (rule.cfa == STOKER_CFA_END || rule.cfa == STOKER_CFA_FRAME_POINTER)) {
      ++result_.agreeing;
      ++result_.intended["no description, but known by what it is"];
    } else if (said.is_debug_frame && rule.cfa == STOKER_CFA_END) {
      ++result_.agreeing;
      ++result_.intended["where Go's stacks end"];
    } else if (said.is_debug_frame && rule.cfa == STOKER_CFA_FRAME_POINTER) {
      ++result_.agreeing;
      ++result_.intended["where Go switches stacks"];
    } else if (said.caller.kind == Caller::Kind::kNone && FollowsFunction(address)) {
      ++result_.agreeing;
      ++result_.intended["padding after a function"];
    } else if (rule.cfa == STOKER_CFA_SIGNAL && table_.Lookup(address + 1).cfa == rule.cfa) {
      ++result_.agreeing;
      ++result_.intended["the byte before a signal frame"];
    } else {
      Disagree(address, rule, ours, said.caller);
    }
    return said;
  }

  OracleResult& result() { return result_; }

 private:
  [[nodiscard]] Said Ask(std::uint64_t address) const {
    const Said said = AskOne(eh_frame_, address);
    if (said.caller.kind != Caller::Kind::kNone) return said;
    Said debug = AskOne(debug_frame_, address);
    debug.is_debug_frame = debug.caller.kind != Caller::Kind::kNone;
    return debug;
  }

  [[nodiscard]] bool FollowsFunction(std::uint64_t address) const {
    for (std::uint64_t back = 1; back <= kMaxPaddingBytes; ++back) {
      if (Ask(address - back).caller.kind != Caller::Kind::kNone) return true;
    }
    return false;
  }

  void Disagree(std::uint64_t address, const Rule& rule, const Caller& ours, const Caller& theirs) {
    const char* kind = "other value";
    if (ours.cfa == theirs.cfa && ours.ip == theirs.ip && !ours.bp) {
      kind = "bp is where no rule reaches";
    }
    if (ours.kind == Caller::Kind::kUnsupported) kind = "no rule can say it";
    if (theirs.kind == Caller::Kind::kUnsupported) kind = "libdw cannot say it";
    if (ours.kind == Caller::Kind::kNone) kind = "missing here";
    if (theirs.kind == Caller::Kind::kNone) kind = "missing in libdw";
    ++result_.disagreeing[kind];
    if (result_.examples.size() < kMaxExamples) {
      result_.examples.push_back(fmt::format("{:#x}: {}: {} = {}; libdw {}", address, kind,
                                             Describe(rule), ToText(ours), ToText(theirs)));
    }
  }

  Dwarf_CFI* const eh_frame_;
  Dwarf_CFI* const debug_frame_;
  const Table& table_;
  OracleResult result_;
};

// Every row of libdw within a function, and every one of ours.
void CompareFunction(const ElfRows& rows, const RowRange& range, Comparison& comparison) {
  const std::uint64_t end = rows.text.base + range.end;
  for (std::uint64_t at = rows.text.base + range.begin; at < end;) {
    const Said said = comparison.At(at);
    const std::uint64_t next =
        said.end > at ? std::min(said.end, end) : std::min(at + kBlindStep, end);
    if (next - at > 1) comparison.At(next - 1);
    if (next - at > 2) comparison.At(at + (next - at) / 2);
    at = next;
  }
  for (std::uint32_t i = 0; i < range.row_count; ++i) {
    const std::uint64_t at = rows.text.base + rows.rows.rows[range.first_row + i].offset;
    if (at < end) comparison.At(at);
  }
  // What follows it: padding, another function, nothing.
  comparison.At(end);
  comparison.At(end + kMaxPaddingBytes + 1);
}

}  // namespace

absl::StatusOr<OracleResult> CompareWithLibdw(const std::string& path, int random_addresses) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return NotFound("{} cannot be opened", path);
  STOKER_ASSIGN_OR_RETURN(const auto source, elf::OpenFdSource(fd.get()));
  STOKER_ASSIGN_OR_RETURN(const ElfRows rows, ReadElfRows(*source));
  const TableContent content = BuildTable(rows);
  STOKER_ASSIGN_OR_RETURN(const auto table, Table::FromBytes(ToBytes(content)));

  elf_version(EV_CURRENT);
  const std::unique_ptr<Elf, decltype(&elf_end)> elf(elf_begin(fd.get(), ELF_C_READ_MMAP, nullptr),
                                                     &elf_end);
  const std::unique_ptr<Dwarf_CFI, decltype(&dwarf_cfi_end)> eh_frame(dwarf_getcfi_elf(elf.get()),
                                                                      &dwarf_cfi_end);
  // Its call frame information belongs to it.
  const std::unique_ptr<Dwarf, decltype(&dwarf_end)> dwarf(
      dwarf_begin_elf(elf.get(), DWARF_C_READ, nullptr), &dwarf_end);
  Dwarf_CFI* const debug_frame = dwarf == nullptr ? nullptr : dwarf_getcfi(dwarf.get());
  if ((eh_frame == nullptr && debug_frame == nullptr) || rows.ranges.empty()) {
    return NotFound("{} has no call frame information", path);
  }

  Comparison comparison(eh_frame.get(), debug_frame, *table);
  for (const RowRange& range : rows.ranges) CompareFunction(rows, range, comparison);
  std::mt19937_64 random(1);
  for (int i = 0; i < random_addresses; ++i) {
    const TextRange& range = rows.text.ranges[random() % rows.text.ranges.size()];
    comparison.At(rows.text.base + range.begin + random() % (range.end - range.begin));
  }
  OracleResult result = std::move(comparison.result());
  result.text_bytes = content.text_bytes;
  result.kernel_bytes = content.bodies.size() + content.rules.size() * sizeof(Rule);
  result.raw_rows = content.raw_rows;
  result.folded_rows = content.folded_rows;
  return result;
}

}  // namespace stoker::ebpf::unwind
