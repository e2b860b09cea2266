#include "services/collector/ebpf/unwind/cfi_parser.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <unordered_map>

#include <dwarf.h>

#include "services/collector/ebpf/unwind/expression.h"
#include "services/collector/ebpf/unwind/frame_state.h"
#include "services/common/elf/cursor.h"

namespace stoker::ebpf::unwind {
namespace {

// More than any compiler writes; what hostile files may cost.
constexpr std::size_t kMaxCies = 65'536;
constexpr std::size_t kMaxCieBytes = 4096;
constexpr std::size_t kMaxRemembered = 64;

constexpr std::uint8_t kAarch64NegateRaState = 0x2d;
constexpr std::uint8_t kAarch64NegateRaStateWithPc = 0x2c;

// Common information of many functions.
struct Cie {
  bool valid = false;
  bool signal_frame = false;
  // FDEs have augmentation data (z).
  bool has_data = false;
  std::uint8_t encoding = DW_EH_PE_absptr;
  std::uint64_t code_alignment = 1;
  std::int64_t data_alignment = 1;
  std::uint64_t return_register = 0;
  FrameState initial;
  RuleId initial_rule = RuleSet::kUnsupported;
};

// A pointer as exception handling encodes it, at ELF virtual address `address`.
std::optional<std::uint64_t> ReadPointer(elf::Cursor& cursor, std::uint8_t encoding,
                                         std::uint64_t address) {
  if (encoding == DW_EH_PE_omit || (encoding & DW_EH_PE_indirect) != 0) return std::nullopt;
  std::uint64_t value = 0;
  switch (encoding & 0x0f) {
    case DW_EH_PE_absptr:
    case DW_EH_PE_udata8:
    case DW_EH_PE_sdata8:
      value = cursor.Number<std::uint64_t>();
      break;
    case DW_EH_PE_uleb128:
      value = cursor.Unsigned();
      break;
    case DW_EH_PE_sleb128:
      value = static_cast<std::uint64_t>(cursor.Signed());
      break;
    case DW_EH_PE_udata2:
      value = cursor.Number<std::uint16_t>();
      break;
    case DW_EH_PE_udata4:
      value = cursor.Number<std::uint32_t>();
      break;
    case DW_EH_PE_sdata2:
      value = static_cast<std::uint64_t>(std::int64_t{cursor.Number<std::int16_t>()});
      break;
    case DW_EH_PE_sdata4:
      value = static_cast<std::uint64_t>(std::int64_t{cursor.Number<std::int32_t>()});
      break;
    default:
      return std::nullopt;
  }
  switch (encoding & 0x70) {
    case 0:
      break;
    case DW_EH_PE_pcrel:
      value += address;
      break;
    // Relative to text, data or function: no toolchain uses them here.
    default:
      return std::nullopt;
  }
  if (!cursor.ok()) return std::nullopt;
  return value;
}

// A number of bytes, unless it is of no stack. (g++ 12 takes std::optional's for uninitialized.)
struct Offset {
  bool known = false;
  std::int32_t bytes = 0;
};

// The number, or nothing where it is of no stack.
Offset ToOffset(std::int64_t number) {
  if (number < std::numeric_limits<std::int32_t>::min() ||
      number > std::numeric_limits<std::int32_t>::max()) {
    return {};
  }
  return {true, static_cast<std::int32_t>(number)};
}

// A factored offset. Factors are small; a product past 64 bits is none.
Offset Scaled(std::int64_t number, std::int64_t factor) {
  std::int64_t product = 0;
  if (__builtin_mul_overflow(number, factor, &product)) return {};
  return ToOffset(product);
}

SavedState Saved(SavedState::Kind kind, Offset offset) {
  if (!offset.known) return {.kind = SavedState::Kind::kUnsupported};
  return {.kind = kind, .reg = 0, .offset = offset.bytes};
}

// Runs the instructions of one CIE or FDE.
class Program {
 public:
  // `section_address`: of the first byte of the cursor.
  Program(const Machine& machine, const Cie& cie, RuleSet& rules)
      : machine_(machine), cie_(cie), rules_(rules), state_(cie.initial), rule_(cie.initial_rule) {}

  // The CIE's: only the state counts. False when they are malformed.
  bool RunInitial(std::string_view instructions) {
    elf::Cursor cursor(instructions);
    while (!cursor.empty()) {
      if (!Step(cursor, cursor.Byte(), nullptr)) return false;
    }
    return cursor.ok();
  }

  // An FDE's: appends rows from `begin` on, below `end`, both counted from the text's base. False
  // when they are malformed: the rows up to there stand.
  bool Run(std::string_view instructions, std::uint64_t instructions_address,
           std::uint64_t text_base, std::uint32_t begin, std::uint32_t end, RowSet& rows) {
    elf::Cursor cursor(instructions);
    address_ = instructions_address;
    base_ = text_base;
    at_ = begin;
    end_ = end;
    last_ = std::nullopt;
    while (!cursor.empty() && at_ < end_) {
      if (!Step(cursor, cursor.Byte(), &rows)) return false;
    }
    if (at_ < end_) Emit(rows);
    return cursor.ok();
  }

  [[nodiscard]] const FrameState& state() const { return state_; }
  [[nodiscard]] std::uint32_t at() const { return at_; }

 private:
  void Emit(RowSet& rows) {
    if (dirty_) {
      rule_ = rules_.Intern(ToRule(state_, machine_, cie_.signal_frame));
      dirty_ = false;
    }
    ++rows.raw_rows;
    if (last_ == rule_) return;
    last_ = rule_;
    rows.rows.push_back({at_, rule_});
  }

  bool Advance(std::uint64_t delta, RowSet* rows) {
    if (rows == nullptr || delta == 0) return rows != nullptr;
    Emit(*rows);
    // Past the end nothing counts.
    const bool within =
        delta <= end_ && cie_.code_alignment <= end_ && delta * cie_.code_alignment < end_ - at_;
    at_ = within ? at_ + static_cast<std::uint32_t>(delta * cie_.code_alignment) : end_;
    return true;
  }

  bool SetLocation(elf::Cursor& cursor, RowSet* rows) {
    const std::uint64_t here = address_ + cursor.position();
    const auto target = ReadPointer(cursor, cie_.encoding, here);
    if (rows == nullptr || !target || *target < base_ + at_) return false;
    Emit(*rows);
    at_ = *target - base_ < end_ ? static_cast<std::uint32_t>(*target - base_) : end_;
    return true;
  }

  // The state of a register that is followed, or nullptr.
  SavedState* Find(FrameState& state, std::uint64_t reg) const {
    if (reg == machine_.bp) return &state.bp;
    if (reg == machine_.sp) return &state.sp;
    if (reg == cie_.return_register) return &state.return_address;
    return nullptr;
  }

  bool Set(std::uint64_t reg, const SavedState& saved) {
    SavedState* const found = Find(state_, reg);
    if (found == nullptr) return true;
    *found = saved;
    dirty_ = true;
    return true;
  }

  bool Restore(std::uint64_t reg) {
    SavedState* const found = Find(state_, reg);
    if (found == nullptr) return true;
    FrameState initial = cie_.initial;
    *found = *Find(initial, reg);
    dirty_ = true;
    return true;
  }

  bool DefineCfa(std::uint64_t reg, Offset offset) {
    dirty_ = true;
    state_.cfa = {.kind = CfaState::Kind::kUnsupported};
    if (offset.known && reg <= std::numeric_limits<std::uint32_t>::max()) {
      state_.cfa = {.kind = CfaState::Kind::kRegister,
                    .reg = static_cast<std::uint32_t>(reg),
                    .offset = offset.bytes};
    }
    return true;
  }

  // Only where the CFA is a register and an offset already.
  bool ChangeCfa(std::uint64_t reg, Offset offset) {
    if (state_.cfa.kind != CfaState::Kind::kRegister) offset.known = false;
    return DefineCfa(reg, offset);
  }

  bool Remember() {
    if (remembered_ == stack_.size()) return false;
    stack_[remembered_++] = state_;
    return true;
  }

  bool Recall() {
    if (remembered_ == 0) return false;
    state_ = stack_[--remembered_];
    dirty_ = true;
    return true;
  }

  // A row is appended by what moves on; without `rows` nothing may.
  bool Step(elf::Cursor& cursor, std::uint8_t op, RowSet* rows) {
    const std::uint8_t low = op & 0x3f;
    switch (op & 0xc0) {
      case DW_CFA_advance_loc:
        return Advance(low, rows);
      case DW_CFA_offset:
        return Set(low, Saved(SavedState::Kind::kAtCfa, UnsignedScaled(cursor)));
      case DW_CFA_restore:
        return Restore(low);
      default:
        return StepExtended(cursor, op, rows);
    }
  }

  bool StepExtended(elf::Cursor& cursor, std::uint8_t op, RowSet* rows) {
    switch (op) {
      case DW_CFA_nop:
        return true;
      case DW_CFA_set_loc:
        return SetLocation(cursor, rows);
      case DW_CFA_advance_loc1:
        return Advance(cursor.Number<std::uint8_t>(), rows);
      case DW_CFA_advance_loc2:
        return Advance(cursor.Number<std::uint16_t>(), rows);
      case DW_CFA_advance_loc4:
        return Advance(cursor.Number<std::uint32_t>(), rows);
      case DW_CFA_MIPS_advance_loc8:
        return Advance(cursor.Number<std::uint64_t>(), rows);
      case DW_CFA_remember_state:
        return Remember();
      case DW_CFA_restore_state:
        return Recall();
      case DW_CFA_GNU_args_size:
        cursor.Unsigned();
        return true;
      case kAarch64NegateRaState:
      case kAarch64NegateRaStateWithPc:
        return true;
      default:
        return StepCfa(cursor, op) || StepRegister(cursor, op);
    }
  }

  // False also where `op` is of no CFA.
  bool StepCfa(elf::Cursor& cursor, std::uint8_t op) {
    switch (op) {
      case DW_CFA_def_cfa: {
        const std::uint64_t reg = cursor.Unsigned();
        return DefineCfa(reg, UnsignedOffset(cursor));
      }
      case DW_CFA_def_cfa_sf: {
        const std::uint64_t reg = cursor.Unsigned();
        return DefineCfa(reg, Scaled(cursor.Signed(), cie_.data_alignment));
      }
      case DW_CFA_def_cfa_register:
        return ChangeCfa(cursor.Unsigned(), {true, state_.cfa.offset});
      case DW_CFA_def_cfa_offset:
        return ChangeCfa(state_.cfa.reg, UnsignedOffset(cursor));
      case DW_CFA_def_cfa_offset_sf:
        return ChangeCfa(state_.cfa.reg, Scaled(cursor.Signed(), cie_.data_alignment));
      case DW_CFA_def_cfa_expression:
        state_.cfa = CfaOfExpression(cursor.Bytes(cursor.Unsigned()), machine_);
        dirty_ = true;
        return true;
      default:
        return false;
    }
  }

  bool StepRegister(elf::Cursor& cursor, std::uint8_t op) {
    if (op < DW_CFA_offset_extended || (op > DW_CFA_val_expression && op != kNegativeOffset)) {
      return false;
    }
    const std::uint64_t reg = cursor.Unsigned();
    switch (op) {
      case DW_CFA_offset_extended:
        return Set(reg, Saved(SavedState::Kind::kAtCfa, UnsignedScaled(cursor)));
      case DW_CFA_offset_extended_sf:
        return Set(reg,
                   Saved(SavedState::Kind::kAtCfa, Scaled(cursor.Signed(), cie_.data_alignment)));
      case kNegativeOffset: {
        Offset offset = UnsignedScaled(cursor);
        if (offset.known) offset = ToOffset(-std::int64_t{offset.bytes});
        return Set(reg, Saved(SavedState::Kind::kAtCfa, offset));
      }
      case DW_CFA_val_offset:
        return Set(reg, Saved(SavedState::Kind::kCfa, UnsignedScaled(cursor)));
      case DW_CFA_val_offset_sf:
        return Set(reg,
                   Saved(SavedState::Kind::kCfa, Scaled(cursor.Signed(), cie_.data_alignment)));
      case DW_CFA_restore_extended:
        return Restore(reg);
      case DW_CFA_undefined:
        return Set(reg, {.kind = SavedState::Kind::kUndefined});
      case DW_CFA_same_value:
        return Set(reg, {.kind = SavedState::Kind::kSame});
      case DW_CFA_register: {
        const std::uint64_t source = cursor.Unsigned();
        if (source > std::numeric_limits<std::uint32_t>::max()) return false;
        return Set(
            reg, {.kind = SavedState::Kind::kRegister, .reg = static_cast<std::uint32_t>(source)});
      }
      case DW_CFA_expression:
      case DW_CFA_val_expression: {
        const std::string_view expression = cursor.Bytes(cursor.Unsigned());
        if (Find(state_, reg) == nullptr) return true;
        return Set(reg, SavedByExpression(expression, op == DW_CFA_val_expression));
      }
      default:
        return false;
    }
  }

  [[nodiscard]] Offset UnsignedScaled(elf::Cursor& cursor) const {
    const std::uint64_t number = cursor.Unsigned();
    if (number > std::uint64_t{std::numeric_limits<std::int64_t>::max()}) return {};
    return Scaled(static_cast<std::int64_t>(number), cie_.data_alignment);
  }
  static Offset UnsignedOffset(elf::Cursor& cursor) {
    const std::uint64_t number = cursor.Unsigned();
    if (number > std::uint64_t{std::numeric_limits<std::int32_t>::max()}) return {};
    return {true, static_cast<std::int32_t>(number)};
  }

  // DW_CFA_GNU_negative_offset_extended
  static constexpr std::uint8_t kNegativeOffset = 0x2f;

  const Machine& machine_;
  const Cie& cie_;
  RuleSet& rules_;
  FrameState state_;
  // Of `state_`, unless it changed.
  RuleId rule_;
  bool dirty_ = false;
  std::optional<RuleId> last_;
  std::uint32_t at_ = 0;
  std::uint32_t end_ = 0;
  std::uint64_t address_ = 0;
  std::uint64_t base_ = 0;
  std::size_t remembered_ = 0;
  // Left as it is until used: clearing it would cost more than most functions.
  union {
    std::array<FrameState, kMaxRemembered> stack_;
  };
};

class Parser {
 public:
  Parser(const CfiSection& section, const Machine& machine, const Text& text,
         const std::vector<RowRange>& known, RuleSet& rules, RowSet& rows)
      : section_(section),
        machine_(machine),
        text_(text),
        known_(known),
        rules_(rules),
        rows_(rows) {}

  std::vector<std::size_t> Run() {
    elf::Cursor cursor(section_.bytes);
    while (cursor.left() >= sizeof(std::uint32_t)) {
      if (rows_.Full()) {
        rows_.overflow = true;
        break;
      }
      if (!Entry(cursor)) break;
    }
    return std::move(signal_frames_);
  }

 private:
  // Where an entry's parts are: `body` is what follows its length.
  struct Header {
    std::uint64_t body = 0;
    std::uint64_t size = 0;
    bool is_64 = false;
  };

  // False at the section's end.
  static std::optional<Header> ReadHeader(elf::Cursor& cursor) {
    Header header;
    header.size = cursor.Number<std::uint32_t>();
    header.is_64 = header.size == 0xffff'ffff;
    if (header.is_64) header.size = cursor.Number<std::uint64_t>();
    header.body = cursor.position();
    if (!cursor.ok() || header.size > cursor.left()) return std::nullopt;
    return header;
  }

  bool Entry(elf::Cursor& cursor) {
    const std::optional<Header> header = ReadHeader(cursor);
    if (!header) {
      if (section_.has_known_size) ++rows_.malformed;
      return false;
    }
    // The linker joins sections that each end so.
    if (header->size == 0) return section_.has_known_size;
    elf::Cursor body(cursor.Bytes(header->size));
    const std::uint64_t id =
        header->is_64 ? body.Number<std::uint64_t>() : body.Number<std::uint32_t>();
    if (!body.ok() || IsCie(id, header->is_64)) return true;
    const std::uint64_t cie_offset = section_.is_debug_frame ? id : header->body - id;
    if (!section_.is_debug_frame && id > header->body) {
      ++rows_.malformed;
      return true;
    }
    if (!Function(body, header->body, FindCie(cie_offset))) ++rows_.malformed;
    return true;
  }

  [[nodiscard]] bool IsCie(std::uint64_t id, bool is_64) const {
    if (!section_.is_debug_frame) return id == 0;
    return id == (is_64 ? ~std::uint64_t{0} : std::uint64_t{0xffff'ffff});
  }

  const Cie& FindCie(std::uint64_t offset) {
    static constexpr Cie kInvalid;
    if (last_cie_ != nullptr && last_offset_ == offset) return *last_cie_;
    auto found = cies_.find(offset);
    if (found == cies_.end()) {
      if (cies_.size() >= kMaxCies) return kInvalid;
      found = cies_.emplace(offset, ReadCie(offset)).first;
    }
    last_offset_ = offset;
    last_cie_ = &found->second;
    return *last_cie_;
  }

  [[nodiscard]] Cie ReadCie(std::uint64_t offset) {
    Cie cie;
    if (offset >= section_.bytes.size()) return cie;
    elf::Cursor cursor(section_.bytes.substr(offset));
    const std::optional<Header> header = ReadHeader(cursor);
    if (!header || header->size > kMaxCieBytes) return cie;
    elf::Cursor body(cursor.Bytes(header->size));
    const std::uint64_t id =
        header->is_64 ? body.Number<std::uint64_t>() : body.Number<std::uint32_t>();
    if (!IsCie(id, header->is_64) || !ReadCieFields(body, cie)) return cie;
    Program program(machine_, cie, rules_);
    if (!program.RunInitial(body.Bytes(body.left()))) return cie;
    cie.initial = program.state();
    cie.initial_rule = rules_.Intern(ToRule(cie.initial, machine_, cie.signal_frame));
    cie.valid = true;
    return cie;
  }

  static bool ReadCieFields(elf::Cursor& body, Cie& cie) {
    const std::uint8_t version = body.Byte();
    if (version != 1 && version != 3 && version != 4) return false;
    std::string_view augmentation = body.Text();
    if (version == 4) {
      const std::uint8_t address_bytes = body.Byte();
      const std::uint8_t segment_bytes = body.Byte();
      if (address_bytes != 8 || segment_bytes != 0) return false;
    }
    // GCC 2: a pointer that nobody reads.
    if (augmentation.starts_with("eh")) {
      body.Skip(8);
      augmentation.remove_prefix(2);
    }
    cie.code_alignment = body.Unsigned();
    cie.data_alignment = body.Signed();
    cie.return_register = version == 1 ? body.Byte() : body.Unsigned();
    return ReadAugmentation(body, augmentation, cie) && body.ok();
  }

  static bool ReadAugmentation(elf::Cursor& body, std::string_view augmentation, Cie& cie) {
    if (augmentation.empty()) return true;
    if (!augmentation.starts_with('z')) {
      // As assemblers write .debug_frame: letters that have no data.
      cie.signal_frame = augmentation.find('S') != std::string_view::npos;
      return augmentation.find_first_not_of("SB") == std::string_view::npos;
    }
    cie.has_data = true;
    elf::Cursor data(body.Bytes(body.Unsigned()));
    for (const char letter : augmentation.substr(1)) {
      switch (letter) {
        case 'R':
          cie.encoding = data.Byte();
          break;
        case 'S':
          cie.signal_frame = true;
          break;
        case 'L':
          data.Byte();
          break;
        // The personality routine: only its size counts.
        case 'P': {
          const std::uint8_t encoding = data.Byte();
          if (!ReadPointer(data, encoding & 0x0f, 0)) return false;
          break;
        }
        // aarch64: the return address is signed by key B; stacks are tagged.
        case 'B':
        case 'G':
          break;
        // Its data cannot be told apart from here on, nor does any of it matter.
        default:
          return true;
      }
    }
    return data.ok();
  }

  // True when nothing was wrong with it.
  bool Function(elf::Cursor& body, std::uint64_t body_offset, const Cie& cie) {
    if (!cie.valid) return false;
    const std::uint64_t field = section_.address + body_offset + body.position();
    const auto begin = ReadPointer(body, cie.encoding, field);
    const auto size = ReadPointer(body, cie.encoding & 0x0f, 0);
    if (!begin || !size) return false;
    if (cie.has_data) body.Skip(body.Unsigned());
    if (!body.ok()) return false;
    // Left by the linker of functions that it discarded.
    if (!text_.Contains(*begin, *begin + *size)) return true;
    const auto from = static_cast<std::uint32_t>(*begin - text_.base);
    if (IsKnown(from)) return true;
    AddFunction(body, body_offset, cie, from, static_cast<std::uint32_t>(*size));
    return true;
  }

  void AddFunction(elf::Cursor& body, std::uint64_t body_offset, const Cie& cie, std::uint32_t from,
                   std::uint32_t size) {
    RowRange range = {.begin = from,
                      .end = from + size,
                      .first_row = static_cast<std::uint32_t>(rows_.rows.size())};
    const std::uint64_t address = section_.address + body_offset + body.position();
    Program program(machine_, cie, rules_);
    if (!program.Run(body.Bytes(body.left()), address, text_.base, from, range.end, rows_)) {
      ++rows_.malformed;
      if (program.at() < range.end) rows_.rows.push_back({program.at(), RuleSet::kUnsupported});
    }
    range.row_count = static_cast<std::uint32_t>(rows_.rows.size() - range.first_row);
    if (cie.signal_frame) signal_frames_.push_back(rows_.ranges.size());
    rows_.ranges.push_back(range);
  }

  [[nodiscard]] bool IsKnown(std::uint32_t offset) const {
    const auto after = std::ranges::upper_bound(known_, offset, {}, &RowRange::begin);
    return after != known_.begin() && offset < std::prev(after)->end;
  }

  const CfiSection& section_;
  const Machine& machine_;
  const Text& text_;
  const std::vector<RowRange>& known_;
  RuleSet& rules_;
  RowSet& rows_;
  std::unordered_map<std::uint64_t, Cie> cies_;
  std::uint64_t last_offset_ = 0;
  const Cie* last_cie_ = nullptr;
  std::vector<std::size_t> signal_frames_;
};

}  // namespace

std::vector<std::size_t> ParseCfi(const CfiSection& section, const Machine& machine,
                                  const Text& text, const std::vector<RowRange>& known,
                                  RuleSet& rules, RowSet& rows) {
  return Parser(section, machine, text, known, rules, rows).Run();
}

}  // namespace stoker::ebpf::unwind
