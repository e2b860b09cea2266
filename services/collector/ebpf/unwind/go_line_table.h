#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "services/collector/ebpf/unwind/row_set.h"
#include "services/collector/ebpf/unwind/rule_set.h"

namespace stoker::ebpf::unwind {

// Go's table of functions (.gopclntab, runtime.pcHeader) as Go 1.16 to 1.26 write it for x86-64: it
// tells for each address how far sp lies below where it was when the function began. Borrows its
// bytes. Source of the format: Go's runtime/symtab.go and debug/gosym/pclntab.go.
class GoLineTable {
 public:
  // Nothing where `bytes` begin with no such table.
  static std::optional<GoLineTable> Open(std::string_view bytes);

  // Whether addresses count from runtime.text (Go 1.18 on), which the caller has to find.
  [[nodiscard]] bool IsRelative() const { return layout_ != Layout::k116; }
  // runtime.text as the table itself has it, or 0: Go 1.26 does not say it any more.
  [[nodiscard]] std::uint64_t text_start() const { return text_start_; }
  // The first function's address and the last one's end; from runtime.text where relative.
  [[nodiscard]] std::uint64_t first() const { return first_; }
  [[nodiscard]] std::uint64_t end() const { return end_; }

  // Appends the rows of all functions within `text`. Time is bounded by kMaxSteps. A function that
  // is malformed is left out and counted.
  void AddRows(std::uint64_t text_start, const Text& text, RuleSet& rules, RowSet& rows) const;

  static constexpr std::uint64_t kMaxSteps = std::uint64_t{64} << 20;

 private:
  class RowAdder;
  enum class Layout : std::uint8_t { k116, k118, k120 };

  struct Function {
    std::uint64_t entry = 0;
    std::uint64_t end = 0;
    std::uint32_t name = 0;
    std::uint32_t sp_table = 0;
    std::uint8_t flags = 0;
  };

  explicit GoLineTable(std::string_view bytes) : bytes_(bytes) {}

  bool ReadHeader();
  [[nodiscard]] std::uint64_t EntryAt(std::uint64_t index) const;
  [[nodiscard]] std::optional<Function> ReadFunction(std::uint64_t index) const;
  [[nodiscard]] std::string_view NameOf(const Function& function) const;

  std::string_view bytes_;
  Layout layout_ = Layout::k120;
  std::uint8_t quantum_ = 1;
  std::uint64_t function_count_ = 0;
  std::uint64_t text_start_ = 0;
  std::string_view names_;
  std::string_view value_tables_;
  // Index of functions, followed by the functions.
  std::string_view functions_;
  std::uint64_t first_ = 0;
  std::uint64_t end_ = 0;
};

}  // namespace stoker::ebpf::unwind
