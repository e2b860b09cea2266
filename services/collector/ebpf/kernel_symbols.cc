#include "services/collector/ebpf/kernel_symbols.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <utility>

#include <xxhash.h>

#include "services/common/base/status.h"
#include "services/common/elf/build_id.h"

namespace stoker::ebpf {
namespace {

struct Symbol {
  std::uint64_t address = 0;
  // Global before local before weak, of several names of one address.
  int rank = 0;
  std::string_view name;
};

// What /proc/kallsyms and /proc/modules say of the image ("") or a module.
struct Text {
  std::vector<Symbol> symbols;
  std::uint64_t start = 0;
  std::uint64_t end = 0;
};
using Texts = std::map<std::string, Text, std::less<>>;

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string_view TakeLine(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  return line;
}

std::string_view TakeWord(std::string_view& line) {
  const std::size_t begin = std::min(line.find_first_not_of(" \t"), line.size());
  line.remove_prefix(begin);
  const std::string_view word = line.substr(0, line.find_first_of(" \t"));
  line.remove_prefix(word.size());
  return word;
}

std::uint64_t ParseNumber(std::string_view text, int base) {
  if (base == 16 && text.starts_with("0x")) text.remove_prefix(2);
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, base);
  return value;
}

int Rank(char type) {
  if (type == 'T') return 3;
  if (type == 't') return 2;
  return 1;
}

// Lines of "address type name\t[module]"; types of text are t, T, w and W.
void ReadKallsyms(std::string_view kallsyms, Texts& texts) {
  while (!kallsyms.empty()) {
    std::string_view line = TakeLine(kallsyms);
    const std::uint64_t address = ParseNumber(TakeWord(line), 16);
    const std::string_view type = TakeWord(line);
    const std::string_view name = TakeWord(line);
    std::string_view module = TakeWord(line);
    if (module.size() > 2) module = module.substr(1, module.size() - 2);
    // Programs that the kernel compiled for BPF come and go.
    if (address == 0 || type.empty() || module == "bpf") continue;
    if (module.empty() && name == "_text") texts[""].start = address;
    if (module.empty() && name == "_etext") texts[""].end = address;
    if (std::string_view("tTwW").find(type[0]) == std::string_view::npos) continue;
    const auto text = texts.find(module);
    if (text != texts.end()) text->second.symbols.push_back({address, Rank(type[0]), name});
  }
}

// Lines of "name size users dependencies state address".
void ReadModules(std::string_view modules, Texts& texts) {
  while (!modules.empty()) {
    std::string_view line = TakeLine(modules);
    const std::string_view name = TakeWord(line);
    const std::uint64_t size = ParseNumber(TakeWord(line), 10);
    for (int i = 0; i < 3; ++i) TakeWord(line);
    const std::uint64_t address = ParseNumber(TakeWord(line), 16);
    if (address != 0) texts[std::string(name)] = {.start = address, .end = address + size};
  }
}

std::string MakeTable(Text& text) {
  std::ranges::sort(text.symbols, [](const Symbol& a, const Symbol& b) {
    return std::pair(a.address, -a.rank) < std::pair(b.address, -b.rank);
  });
  symbol::v1::KernelTable table;
  std::optional<std::uint64_t> last;
  for (const Symbol& symbol : text.symbols) {
    if (symbol.address < text.start || symbol.address >= text.end || symbol.address == last) {
      continue;
    }
    last = symbol.address;
    table.add_offset(symbol.address - text.start);
    table.add_name(std::string(symbol.name));
  }
  return table.SerializeAsString();
}

std::string BuildId(const std::string& root, const std::string& module) {
  const std::string path = module.empty()
                               ? root + "/sys/kernel/notes"
                               : root + "/sys/module/" + module + "/notes/.note.gnu.build-id";
  return elf::FindBuildIdInNotes(ReadFile(path), 4);
}

}  // namespace

absl::StatusOr<KernelSymbols> KernelSymbols::Load(const std::string& root) {
  Texts texts = {{"", {}}};
  ReadModules(ReadFile(root + "/proc/modules"), texts);
  const std::string kallsyms = ReadFile(root + "/proc/kallsyms");
  ReadKallsyms(kallsyms, texts);
  if (texts[""].start == 0 || texts[""].end == 0) {
    return FailedPrecondition(
        "the kernel hides its addresses: kernel functions stay without names; grant CAP_SYSLOG, or "
        "set kernel.kptr_restrict to 1 or less");
  }
  KernelSymbols symbols;
  std::string identity;
  for (auto& [module, text] : texts) {
    KernelRegion& region = symbols.regions_.emplace_back();
    if (!module.empty()) region.kind = sample::v1::Mapping::KIND_KERNEL_MODULE;
    region.path = "[" + (module.empty() ? "kernel" : module) + "]";
    region.start = text.start;
    region.end = text.end;
    region.key.set_build_id(BuildId(root, module));
    if (!module.empty()) identity += module + '\0' + region.key.build_id();
    region.table = MakeTable(text);
  }
  for (KernelRegion& region : symbols.regions_) {
    // A module's own name keeps two modules without build ids apart.
    const std::string& hashed =
        region.kind == sample::v1::Mapping::KIND_KERNEL ? identity : region.path;
    region.key.set_content_hash(XXH3_64bits(hashed.data(), hashed.size()));
  }
  std::ranges::sort(symbols.regions_, {}, &KernelRegion::start);
  return symbols;
}

const KernelRegion* KernelSymbols::Find(std::uint64_t address) const {
  auto after = std::ranges::upper_bound(regions_, address, {}, &KernelRegion::start);
  if (after == regions_.begin()) return nullptr;
  --after;
  return address < after->end ? &*after : nullptr;
}

}  // namespace stoker::ebpf
