#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "services/common/elf/byte_source.h"
#include "services/common/elf/elf_file.h"

namespace stoker::elf {

// A function's entry of .symtab or .dynsym.
struct Symbol {
  std::uint64_t address = 0;
  // 0: the symbol says nothing of its end.
  std::uint64_t size = 0;
  // Mangled, as it stands in the file.
  std::string_view name;
  // Which of several names of one address is shown: the highest.
  int rank = 0;
};

struct SymbolList {
  std::vector<Symbol> symbols;
  // What the names point into.
  std::deque<std::string> string_tables;
};

inline constexpr std::uint64_t kMaxSymbols = 20'000'000;
inline constexpr std::size_t kMaxSymbolNameBytes = std::size_t{64} << 10;

// Reads the functions of every symbol table among `sections`, whose `offset` counts in `source`.
// Kept are symbols of code: STT_FUNC, STT_GNU_IFUNC, and labels (STT_NOTYPE) within an executable
// section. Tables whose bytes are absent are passed over; a symbol whose name lies outside its
// string table has none and is left out. INVALID_ARGUMENT past kMaxSymbols.
absl::StatusOr<SymbolList> ReadSymbols(const ByteSource& source,
                                       const std::vector<Section>& sections,
                                       std::uint8_t elf_class);

}  // namespace stoker::elf
