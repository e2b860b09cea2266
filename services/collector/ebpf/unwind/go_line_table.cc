#include "services/collector/ebpf/unwind/go_line_table.h"

#include <algorithm>
#include <array>

#include "services/common/elf/cursor.h"

namespace stoker::ebpf::unwind {
namespace {

constexpr std::uint32_t kMagic116 = 0xffff'fffa;
constexpr std::uint32_t kMagic118 = 0xffff'fff0;
constexpr std::uint32_t kMagic120 = 0xffff'fff1;

// abi.FuncFlag
constexpr std::uint8_t kTopFrame = 1;
constexpr std::uint8_t kWritesSp = 2;

// A larger frame is none; reflection has one of 1 GiB.
constexpr std::int64_t kMaxFrameBytes = std::int64_t{3} << 29;

// What a function that is no ordinary one means for unwinding.
enum class Special : std::uint8_t {
  kOrdinary,
  // The stack ends here.
  kEnd,
  // It switches stacks, but keeps the frame pointer of the one it left.
  kFramePointer,
  // The kernel returns to it from a signal handler.
  kSignalReturn,
  // Called by the kernel for a signal; its frame is an ordinary one all the same.
  kSignalHandler,
};

struct NamedFunction {
  std::string_view name;
  Special special;
};
constexpr std::array kNamed = std::to_array<NamedFunction>({
    {"runtime.goexit", Special::kEnd},
    {"runtime.mstart", Special::kEnd},
    {"runtime.rt0_go", Special::kEnd},
    // They clear or replace the frame pointer: what called them goes on elsewhere.
    {"runtime.mcall", Special::kEnd},
    {"runtime.gogo", Special::kEnd},
    {"_rt0_amd64", Special::kEnd},
    {"_rt0_amd64_linux", Special::kEnd},
    {"runtime.sigreturn__sigaction", Special::kSignalReturn},
    {"runtime.sigreturn", Special::kSignalReturn},
    {"runtime.sigtramp", Special::kSignalHandler},
});

std::string_view WithoutAbi(std::string_view name) {
  for (const std::string_view suffix : {".abi0", ".abiinternal"}) {
    if (name.ends_with(suffix)) name.remove_suffix(suffix.size());
  }
  return name;
}

Special SpecialOf(std::string_view name, std::uint8_t flags) {
  const auto named = std::ranges::find(kNamed, WithoutAbi(name), &NamedFunction::name);
  if (named != kNamed.end()) return named->special;
  if ((flags & kTopFrame) != 0) return Special::kEnd;
  if ((flags & kWritesSp) != 0) return Special::kFramePointer;
  return Special::kOrdinary;
}

std::string_view From(std::string_view bytes, std::uint64_t offset) {
  return offset < bytes.size() ? bytes.substr(offset) : std::string_view();
}

std::uint32_t Word(std::string_view bytes, std::uint64_t offset) {
  return elf::Cursor(From(bytes, offset)).Number<std::uint32_t>();
}

// The rule where sp lies `delta` bytes below the return address. Go pushes bp right under that in
// every function with a frame.
Rule RuleOf(std::int64_t delta) {
  // Assembly that jumps to another function has popped its own return address: 8 below.
  if (delta < -8 || delta > kMaxFrameBytes) return {.cfa = STOKER_CFA_UNSUPPORTED};
  Rule rule = {.cfa = STOKER_CFA_SP, .cfa_offset = static_cast<std::int32_t>(delta + 8)};
  if (delta > 0) {
    rule.bp = STOKER_BP_AT_CFA;
    rule.bp_offset = -16;
  }
  return rule;
}

}  // namespace

std::optional<GoLineTable> GoLineTable::Open(std::string_view bytes) {
  GoLineTable table(bytes);
  if (!table.ReadHeader()) return std::nullopt;
  return table;
}

bool GoLineTable::ReadHeader() {
  elf::Cursor cursor(bytes_);
  switch (cursor.Number<std::uint32_t>()) {
    case kMagic116:
      layout_ = Layout::k116;
      break;
    case kMagic118:
      layout_ = Layout::k118;
      break;
    case kMagic120:
      layout_ = Layout::k120;
      break;
    default:
      return false;
  }
  if (cursor.Number<std::uint16_t>() != 0) return false;
  quantum_ = cursor.Byte();
  const std::uint8_t pointer_bytes = cursor.Byte();
  if ((quantum_ != 1 && quantum_ != 2 && quantum_ != 4) || pointer_bytes != 8) return false;
  function_count_ = cursor.Number<std::uint64_t>();
  cursor.Number<std::uint64_t>();  // files
  if (IsRelative()) text_start_ = cursor.Number<std::uint64_t>();
  names_ = From(bytes_, cursor.Number<std::uint64_t>());
  cursor.Number<std::uint64_t>();  // compilation units
  cursor.Number<std::uint64_t>();  // names of files
  value_tables_ = From(bytes_, cursor.Number<std::uint64_t>());
  functions_ = From(bytes_, cursor.Number<std::uint64_t>());
  if (!cursor.ok() || function_count_ == 0 || value_tables_.empty()) return false;
  const std::uint64_t width = IsRelative() ? 4 : 8;
  // The index has the end of the last function as well.
  if (function_count_ > functions_.size() / (2 * width) ||
      (2 * function_count_ + 1) * width > functions_.size()) {
    return false;
  }
  first_ = EntryAt(0);
  end_ = EntryAt(function_count_);
  return first_ < end_;
}

std::uint64_t GoLineTable::EntryAt(std::uint64_t index) const {
  if (IsRelative()) return Word(functions_, index * 8);
  return elf::Cursor(From(functions_, index * 16)).Number<std::uint64_t>();
}

std::optional<GoLineTable::Function> GoLineTable::ReadFunction(std::uint64_t index) const {
  Function function = {.entry = EntryAt(index), .end = EntryAt(index + 1)};
  if (function.end <= function.entry) return std::nullopt;
  const std::uint64_t offset =
      IsRelative() ? Word(functions_, index * 8 + 4)
                   : elf::Cursor(From(functions_, index * 16 + 8)).Number<std::uint64_t>();
  elf::Cursor cursor(From(functions_, offset));
  cursor.Skip(IsRelative() ? 4 : 8);  // entry
  function.name = cursor.Number<std::uint32_t>();
  cursor.Skip(8);  // args, deferreturn
  function.sp_table = cursor.Number<std::uint32_t>();
  cursor.Skip(16);                              // pcfile, pcln, npcdata, cuOffset
  if (layout_ == Layout::k120) cursor.Skip(4);  // startLine
  cursor.Skip(1);                               // funcID
  function.flags = cursor.Byte();
  if (!cursor.ok()) return std::nullopt;
  return function;
}

std::string_view GoLineTable::NameOf(const Function& function) const {
  // Longer names are of no function that counts here.
  return elf::Cursor(From(names_, function.name).substr(0, 64)).Text();
}

// Adds functions one by one.
class GoLineTable::RowAdder {
 public:
  RowAdder(const GoLineTable& table, std::uint64_t text_start, const Text& text, RuleSet& rules,
           RowSet& rows)
      : table_(table),
        text_start_(text_start),
        text_(text),
        rules_(rules),
        rows_(rows),
        end_(rules.Intern({.cfa = STOKER_CFA_END})),
        frame_pointer_(rules.Intern({.cfa = STOKER_CFA_FRAME_POINTER})),
        signal_(rules.Intern({.cfa = STOKER_CFA_SIGNAL})) {}

  void Run() {
    for (std::uint64_t i = 0; i < table_.function_count_; ++i) {
      if (rows_.Full() || steps_ > kMaxSteps) {
        rows_.overflow = true;
        return;
      }
      const std::optional<Function> function = table_.ReadFunction(i);
      if (!function ||
          !text_.Contains(text_start_ + function->entry, text_start_ + function->end)) {
        ++rows_.malformed;
        continue;
      }
      AddFunction(*function);
    }
  }

 private:
  void AddFunction(const Function& function) {
    range_ = {.begin = static_cast<std::uint32_t>(text_start_ + function.entry - text_.base),
              .end = static_cast<std::uint32_t>(text_start_ + function.end - text_.base),
              .first_row = static_cast<std::uint32_t>(rows_.rows.size())};
    // Go 1.16 has no flags.
    const bool may_be_special = function.flags != 0 || table_.layout_ == Layout::k116;
    const Special special =
        may_be_special ? SpecialOf(table_.NameOf(function), function.flags) : Special::kOrdinary;
    switch (special) {
      case Special::kEnd:
        Add(range_.begin, end_);
        break;
      case Special::kFramePointer:
        Add(range_.begin, frame_pointer_);
        break;
      case Special::kSignalReturn:
        // A handler returns to its first byte, and return addresses are looked up one byte before.
        if (range_.begin > 0) --range_.begin;
        Add(range_.begin, signal_);
        break;
      case Special::kOrdinary:
      case Special::kSignalHandler:
        AddDeltas(function.sp_table);
        break;
    }
    if (range_.begin == range_.end) return;
    range_.row_count = static_cast<std::uint32_t>(rows_.rows.size() - range_.first_row);
    rows_.ranges.push_back(range_);
  }

  // A table of values: pairs of a change of the value, zigzag, and the number of bytes for which it
  // then holds; ended by a change of 0 that is not the first. The value begins at -1. A function
  // without a table has no code.
  void AddDeltas(std::uint32_t sp_table) {
    if (sp_table == 0) {
      range_.end = range_.begin;
      return;
    }
    elf::Cursor values(From(table_.value_tables_, sp_table));
    std::int64_t delta = -1;
    std::uint32_t at = range_.begin;
    for (bool first = true; at < range_.end; first = false) {
      ++steps_;
      const auto change = static_cast<std::uint32_t>(values.Unsigned());
      // What is left of the function is padding, or it has no code at all.
      if (change == 0 && !first && values.ok()) {
        range_.end = at;
        return;
      }
      const std::uint64_t advance = std::uint64_t{table_.quantum_} * Low(values.Unsigned());
      if (!values.ok()) break;
      const auto half = static_cast<std::int64_t>(change >> 1);
      delta += (change & 1) != 0 ? ~half : half;
      if (advance == 0) continue;
      Add(at, rules_.Intern(RuleOf(delta)));
      at = advance < range_.end - at ? at + static_cast<std::uint32_t>(advance) : range_.end;
    }
    if (at == range_.end) return;
    Add(at, RuleSet::kUnsupported);
    ++rows_.malformed;
  }

  static std::uint32_t Low(std::uint64_t value) { return static_cast<std::uint32_t>(value); }

  void Add(std::uint32_t at, RuleId rule) {
    ++rows_.raw_rows;
    const bool is_first = rows_.rows.size() == range_.first_row;
    if (is_first || rows_.rows.back().rule != rule) rows_.rows.push_back({at, rule});
  }

  const GoLineTable& table_;
  const std::uint64_t text_start_;
  const Text& text_;
  RuleSet& rules_;
  RowSet& rows_;
  const RuleId end_;
  const RuleId frame_pointer_;
  const RuleId signal_;
  RowRange range_;
  std::uint64_t steps_ = 0;
};

void GoLineTable::AddRows(std::uint64_t text_start, const Text& text, RuleSet& rules,
                          RowSet& rows) const {
  RowAdder(*this, text_start, text, rules, rows).Run();
}

}  // namespace stoker::ebpf::unwind
