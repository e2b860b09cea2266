#include "services/collector/ebpf/unwind/expression.h"

#include <array>
#include <cstdint>
#include <limits>
#include <optional>

#include <dwarf.h>

#include "services/common/elf/cursor.h"

namespace stoker::ebpf::unwind {
namespace {

// What a place of the expression's stack holds, by form.
struct Value {
  enum class Kind : std::uint8_t {
    // offset
    kConstant,
    // reg + offset
    kRegister,
    // *(reg + offset) + extra
    kDereference,
    // CFA + offset
    kCfa,
  };
  Kind kind = Kind::kConstant;
  std::uint32_t reg = 0;
  std::int64_t offset = 0;
  std::int64_t extra = 0;
};

// Values past this are of no stack; sums of them do not overflow.
constexpr std::int64_t kMaxOffset = std::numeric_limits<std::int32_t>::max();

bool Fits(std::int64_t number) { return number >= -kMaxOffset && number <= kMaxOffset; }

class Evaluator {
 public:
  explicit Evaluator(std::string_view expression) : cursor_(expression) {}

  bool Push(const Value& value) {
    if (depth_ == stack_.size() || !Fits(value.offset) || !Fits(value.extra)) return false;
    stack_[depth_++] = value;
    return true;
  }

  // The value on top at the end.
  std::optional<Value> Run() {
    while (!cursor_.empty()) {
      if (!Step(cursor_.Byte()) || !cursor_.ok()) return std::nullopt;
    }
    if (!cursor_.ok() || depth_ == 0) return std::nullopt;
    return stack_[depth_ - 1];
  }

 private:
  bool PushConstant(std::int64_t number) {
    return Push({.kind = Value::Kind::kConstant, .offset = number});
  }

  bool Step(std::uint8_t op) {
    if (op >= DW_OP_lit0 && op <= DW_OP_lit31) return PushConstant(op - DW_OP_lit0);
    if (op >= DW_OP_breg0 && op <= DW_OP_breg31) {
      return Push({.kind = Value::Kind::kRegister,
                   .reg = static_cast<std::uint32_t>(op - DW_OP_breg0),
                   .offset = cursor_.Signed()});
    }
    switch (op) {
      case DW_OP_nop:
        return true;
      case DW_OP_const1u:
        return PushConstant(cursor_.Number<std::uint8_t>());
      case DW_OP_const1s:
        return PushConstant(cursor_.Number<std::int8_t>());
      case DW_OP_const2u:
        return PushConstant(cursor_.Number<std::uint16_t>());
      case DW_OP_const2s:
        return PushConstant(cursor_.Number<std::int16_t>());
      case DW_OP_const4u:
        return PushConstant(cursor_.Number<std::uint32_t>());
      case DW_OP_const4s:
        return PushConstant(cursor_.Number<std::int32_t>());
      case DW_OP_const8s:
        return PushConstant(cursor_.Number<std::int64_t>());
      case DW_OP_consts:
        return PushConstant(cursor_.Signed());
      case DW_OP_constu:
        return PushConstant(static_cast<std::int64_t>(cursor_.Unsigned()));
      case DW_OP_plus_uconst:
        return PushConstant(static_cast<std::int64_t>(cursor_.Unsigned())) && Add(1);
      case DW_OP_plus:
        return Add(1);
      case DW_OP_minus:
        return Add(-1);
      case DW_OP_deref:
        return Dereference();
      default:
        return false;
    }
  }

  // The second value and `sign` times the first.
  bool Add(int sign) {
    if (depth_ < 2) return false;
    const Value right = stack_[--depth_];
    Value left = stack_[--depth_];
    if (right.kind == Value::Kind::kConstant) {
      std::int64_t& part = left.kind == Value::Kind::kDereference ? left.extra : left.offset;
      part += sign * right.offset;
      return Push(left);
    }
    if (left.kind != Value::Kind::kConstant || sign < 0) return false;
    stack_[depth_++] = right;
    stack_[depth_++] = left;
    return Add(sign);
  }

  bool Dereference() {
    if (depth_ == 0 || stack_[depth_ - 1].kind != Value::Kind::kRegister) return false;
    stack_[depth_ - 1].kind = Value::Kind::kDereference;
    return true;
  }

  elf::Cursor cursor_;
  std::array<Value, 8> stack_;
  std::size_t depth_ = 0;
};

// What ld and lld say of .plt: breg7 (sp) offset; breg16 (ip) 0; lit15; and; litN; ge; lit3; shl;
// plus.
std::optional<CfaState> PltStub(std::string_view expression, const Machine& machine) {
  if (machine.elf_machine != EM_X86_64) return std::nullopt;
  elf::Cursor cursor(expression);
  if (cursor.Byte() != DW_OP_breg7) return std::nullopt;
  const std::int64_t offset = cursor.Signed();
  if (cursor.Byte() != DW_OP_breg16 || cursor.Signed() != 0) return std::nullopt;
  if (cursor.Byte() != DW_OP_lit15 || cursor.Byte() != DW_OP_and) return std::nullopt;
  const std::uint8_t from = cursor.Byte();
  if (from < DW_OP_lit0 || from > DW_OP_lit15) return std::nullopt;
  for (const std::uint8_t op : {DW_OP_ge, DW_OP_lit3, DW_OP_shl, DW_OP_plus}) {
    if (cursor.Byte() != op) return std::nullopt;
  }
  if (!cursor.ok() || !cursor.empty() || !Fits(offset)) return std::nullopt;
  return CfaState{.kind = CfaState::Kind::kPlt,
                  .reg = machine.sp,
                  .offset = static_cast<std::int32_t>(offset),
                  .extra = from - DW_OP_lit0};
}

}  // namespace

CfaState CfaOfExpression(std::string_view expression, const Machine& machine) {
  if (const auto plt = PltStub(expression, machine)) return *plt;
  const std::optional<Value> value = Evaluator(expression).Run();
  CfaState cfa = {.kind = CfaState::Kind::kUnsupported};
  if (!value) return cfa;
  if (value->kind == Value::Kind::kRegister) cfa.kind = CfaState::Kind::kRegister;
  if (value->kind == Value::Kind::kDereference) cfa.kind = CfaState::Kind::kDereference;
  cfa.reg = value->reg;
  cfa.offset = static_cast<std::int32_t>(value->offset);
  cfa.extra = static_cast<std::int32_t>(value->extra);
  return cfa;
}

SavedState SavedByExpression(std::string_view expression, bool is_value) {
  Evaluator evaluator(expression);
  evaluator.Push({.kind = Value::Kind::kCfa});
  const std::optional<Value> value = evaluator.Run();
  SavedState saved = {.kind = SavedState::Kind::kUnsupported};
  if (!value) return saved;
  const auto offset = static_cast<std::int32_t>(value->offset);
  if (value->kind == Value::Kind::kCfa) {
    return {.kind = is_value ? SavedState::Kind::kCfa : SavedState::Kind::kAtCfa, .offset = offset};
  }
  // A value that is itself read from memory is saved at that address.
  const bool at_register = is_value ? value->kind == Value::Kind::kDereference && value->extra == 0
                                    : value->kind == Value::Kind::kRegister;
  if (at_register) {
    return {.kind = SavedState::Kind::kAtRegister, .reg = value->reg, .offset = offset};
  }
  if (is_value && value->kind == Value::Kind::kRegister && offset == 0) {
    return {.kind = SavedState::Kind::kRegister, .reg = value->reg};
  }
  return saved;
}

}  // namespace stoker::ebpf::unwind
