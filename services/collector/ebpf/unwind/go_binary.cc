#include "services/collector/ebpf/unwind/go_binary.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include <elf.h>

#include "services/collector/ebpf/unwind/go_line_table.h"
#include "services/common/base/status.h"

namespace stoker::ebpf::unwind {
namespace {

// runtime.moduledata, Go 1.16 to 1.26: it begins with the address of the table, and has these.
constexpr std::uint64_t kFirstFunctionAt = 160;
constexpr std::uint64_t kTextAt = 176;

// Sections that may hold moduledata, and the table where it has no section of its own.
constexpr std::array<std::string_view, 5> kDataSections = {".go.module", ".noptrdata", ".data",
                                                           ".data.rel.ro", ".rodata"};

std::uint64_t LongAt(std::string_view bytes, std::size_t offset) {
  std::uint64_t value = 0;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

class Finder {
 public:
  Finder(const elf::ByteSource& source, const elf::ElfFile& file, const Text& text,
         std::uint64_t max_bytes)
      : source_(source), file_(file), text_(text), max_bytes_(max_bytes) {}

  absl::StatusOr<GoTableBytes> Run() {
    if (!IsGo()) return GoTableBytes{};
    STOKER_RETURN_IF_ERROR(FindTable());
    const std::optional<GoLineTable> table = GoLineTable::Open(found_.bytes);
    if (!table) return GoTableBytes{};
    if (table->IsRelative()) found_.text_start = FindTextStart(*table);
    return std::move(found_);
  }

 private:
  // Either is in every program of Go since 1.5, stripped or not.
  [[nodiscard]] bool IsGo() const {
    const auto of_go = [](const elf::Section& section) {
      return section.name.find("gopclntab") != std::string::npos ||
             section.name == ".note.go.buildid" || section.name == ".go.buildinfo";
    };
    return std::ranges::any_of(file_.sections, of_go);
  }

  absl::Status FindTable() {
    for (const std::string_view name : {".gopclntab", ".data.rel.ro.gopclntab"}) {
      const elf::Section* const section = file_.FindSection(name);
      if (section != nullptr && section->has_data) return Take(*section);
    }
    for (const std::string_view name : kDataSections) {
      const elf::Section* const section = file_.FindSection(name);
      if (section == nullptr || !section->has_data) continue;
      STOKER_RETURN_IF_ERROR(Take(*section));
      if (Search()) return absl::OkStatus();
    }
    found_.bytes.clear();
    return absl::OkStatus();
  }

  absl::Status Take(const elf::Section& section) {
    if (section.size > max_bytes_) {
      return ResourceExhausted("{} of {} bytes, where {} are allowed", section.name, section.size,
                               max_bytes_);
    }
    STOKER_ASSIGN_OR_RETURN(found_.bytes, source_.Read(section.offset, section.size));
    address_ = section.address;
    return absl::OkStatus();
  }

  // Cuts what precedes a table in the bytes. Linkers align it to 8 at least.
  bool Search() {
    for (std::size_t at = 0; at + 8 <= found_.bytes.size(); at += 8) {
      // The last bytes of the magic, two zeros; the quantum and the size of a pointer.
      if (std::memcmp(found_.bytes.data() + at + 1, "\xff\xff\xff\0\0", 5) != 0) continue;
      if (!GoLineTable::Open(std::string_view(found_.bytes).substr(at))) continue;
      found_.bytes.erase(0, at);
      address_ += at;
      return true;
    }
    return false;
  }

  [[nodiscard]] bool Fits(std::uint64_t text_start, const GoLineTable& table) const {
    return text_start != 0 && text_.Contains(text_start + table.first(), text_start + table.end());
  }

  std::uint64_t FindTextStart(const GoLineTable& table) {
    if (Fits(table.text_start(), table)) return table.text_start();
    for (const std::string_view name : kDataSections) {
      if (const auto start = InModuleData(name, table)) return *start;
    }
    if (const auto start = InRelocations(table)) return *start;
    // Where Go's own linker made the file, its code comes first.
    const elf::Section* const section = file_.FindSection(".text");
    if (section != nullptr && Fits(section->address, table)) return section->address;
    return 0;
  }

  // runtime.moduledata as it stands in the file.
  [[nodiscard]] std::optional<std::uint64_t> InModuleData(std::string_view name,
                                                          const GoLineTable& table) const {
    const elf::Section* const section = file_.FindSection(name);
    if (section == nullptr || !section->has_data || section->size > max_bytes_) return std::nullopt;
    const auto bytes = source_.Read(section->offset, section->size);
    if (!bytes.ok()) return std::nullopt;
    for (std::size_t at = 0; at + kTextAt + 8 <= bytes->size(); at += 8) {
      if (LongAt(*bytes, at) != address_) continue;
      const std::uint64_t text_start = LongAt(*bytes, at + kTextAt);
      const std::uint64_t first = LongAt(*bytes, at + kFirstFunctionAt);
      if (first == text_start + table.first() && Fits(text_start, table)) return text_start;
    }
    return std::nullopt;
  }

  // The same of a file that is relocated when it is loaded: its words are in .rela.dyn.
  [[nodiscard]] std::optional<std::uint64_t> InRelocations(const GoLineTable& table) const {
    const elf::Section* const section = file_.FindSection(".rela.dyn");
    if (section == nullptr || !section->has_data || section->size > max_bytes_) return std::nullopt;
    const auto bytes = source_.Read(section->offset, section->size);
    if (!bytes.ok()) return std::nullopt;
    std::vector<std::uint64_t> modules;
    ForEachRelocation(*bytes, [&](const Elf64_Rela& relocation) {
      const bool is_module = static_cast<std::uint64_t>(relocation.r_addend) == address_;
      if (is_module && modules.size() < 16) modules.push_back(relocation.r_offset);
    });
    std::optional<std::uint64_t> found;
    ForEachRelocation(*bytes, [&](const Elf64_Rela& relocation) {
      const auto text_start = static_cast<std::uint64_t>(relocation.r_addend);
      const bool is_text = std::ranges::any_of(
          modules, [&](std::uint64_t module) { return relocation.r_offset == module + kTextAt; });
      if (is_text && Fits(text_start, table)) found = text_start;
    });
    return found;
  }

  template <typename Visit>
  static void ForEachRelocation(std::string_view bytes, const Visit& visit) {
    for (std::size_t at = 0; at + sizeof(Elf64_Rela) <= bytes.size(); at += sizeof(Elf64_Rela)) {
      Elf64_Rela relocation;
      std::memcpy(&relocation, bytes.data() + at, sizeof relocation);
      visit(relocation);
    }
  }

  const elf::ByteSource& source_;
  const elf::ElfFile& file_;
  const Text& text_;
  const std::uint64_t max_bytes_;
  GoTableBytes found_;
  // Of the table, as an ELF virtual address.
  std::uint64_t address_ = 0;
};

}  // namespace

absl::StatusOr<GoTableBytes> FindGoTable(const elf::ByteSource& source, const elf::ElfFile& file,
                                         const Text& text, std::uint64_t max_bytes) {
  return Finder(source, file, text, max_bytes).Run();
}

}  // namespace stoker::ebpf::unwind
