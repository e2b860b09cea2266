#include "services/common/elf/symbols.h"

#include <algorithm>
#include <cstring>
#include <span>

#include <elf.h>

#include "services/common/base/status.h"

namespace stoker::elf {
namespace {

constexpr std::uint64_t kChunkEntries = 16'384;

// Addresses of code.
class ExecutableRanges {
 public:
  explicit ExecutableRanges(const std::vector<Section>& sections) {
    for (const Section& section : sections) {
      if ((section.flags & SHF_EXECINSTR) != 0) ranges_.push_back(&section);
    }
  }
  [[nodiscard]] bool Contain(std::uint64_t address) const {
    return std::any_of(ranges_.begin(), ranges_.end(), [address](const Section* section) {
      return address >= section->address && address - section->address < section->size;
    });
  }

 private:
  std::vector<const Section*> ranges_;
};

// Marks that assemblers leave for disassemblers: `$x`, `$d`, `.L…`.
bool IsAssemblerMark(std::string_view name) {
  return name.starts_with('$') || name.starts_with(".L");
}

// A name that the linker exports before one it does not, a function before a label, `malloc` before
// `__libc_malloc`.
int Rank(unsigned type, unsigned binding, std::string_view name) {
  const int by_binding = binding == STB_GLOBAL ? 2 : binding == STB_WEAK ? 1 : 0;
  const auto underscores = static_cast<int>(std::min<std::size_t>(name.find_first_not_of('_'), 7));
  return (type == STT_NOTYPE ? 0 : 64) + by_binding * 16 + (7 - underscores);
}

template <typename Entry>
void AddSymbol(const Entry& entry, std::string_view strings, const ExecutableRanges& code,
               SymbolList& list) {
  const unsigned type = ELF64_ST_TYPE(entry.st_info);
  if (type != STT_FUNC && type != STT_GNU_IFUNC && type != STT_NOTYPE) return;
  if (entry.st_shndx == SHN_UNDEF || !code.Contain(entry.st_value)) return;
  std::string_view name = StringAt(strings, entry.st_name, kMaxSymbolNameBytes);
  // .symtab has versions in its names, `malloc@@GLIBC_2.2.5`, and .dynsym has them elsewhere.
  if (const std::size_t version = name.find('@', 1); version != std::string_view::npos) {
    name = name.substr(0, version);
  }
  if (name.empty() || IsAssemblerMark(name)) return;
  list.symbols.push_back({.address = entry.st_value,
                          .size = entry.st_size,
                          .name = name,
                          .rank = Rank(type, ELF64_ST_BIND(entry.st_info), name)});
}

template <typename Entry>
absl::Status ReadTable(const ByteSource& source, const Section& table, std::string_view strings,
                       const ExecutableRanges& code, SymbolList& list) {
  const std::uint64_t count = table.size / sizeof(Entry);
  std::vector<Entry> chunk;
  for (std::uint64_t first = 0; first < count; first += kChunkEntries) {
    chunk.resize(std::min(kChunkEntries, count - first));
    const std::span<char> bytes(reinterpret_cast<char*>(chunk.data()),
                                chunk.size() * sizeof(Entry));
    STOKER_RETURN_IF_ERROR(source.ReadAt(table.offset + first * sizeof(Entry), bytes));
    for (const Entry& entry : chunk) AddSymbol(entry, strings, code, list);
    if (list.symbols.size() > kMaxSymbols) {
      return InvalidArgument("more than {} symbols", kMaxSymbols);
    }
  }
  return absl::OkStatus();
}

bool IsReadable(const ByteSource& source, const Section& section) {
  return section.has_data && source.Contains(section.offset, section.size);
}

}  // namespace

absl::StatusOr<SymbolList> ReadSymbols(const ByteSource& source,
                                       const std::vector<Section>& sections,
                                       std::uint8_t elf_class) {
  const ExecutableRanges code(sections);
  SymbolList list;
  for (const Section& table : sections) {
    if (table.type != SHT_SYMTAB && table.type != SHT_DYNSYM) continue;
    if (!IsReadable(source, table) || table.link >= sections.size()) continue;
    const Section& strings = sections[table.link];
    if (!IsReadable(source, strings) || strings.type != SHT_STRTAB) continue;
    STOKER_ASSIGN_OR_RETURN(std::string bytes, source.Read(strings.offset, strings.size));
    const std::string& kept = list.string_tables.emplace_back(std::move(bytes));
    STOKER_RETURN_IF_ERROR(elf_class == ELFCLASS32
                               ? ReadTable<Elf32_Sym>(source, table, kept, code, list)
                               : ReadTable<Elf64_Sym>(source, table, kept, code, list));
  }
  return list;
}

}  // namespace stoker::elf
