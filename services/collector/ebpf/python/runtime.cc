#include "services/collector/ebpf/python/runtime.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include <elf.h>

#include "services/collector/ebpf/python/evaluation_loop.h"
#include "services/collector/ebpf/python/runtime.pb.h"
#include "services/collector/ebpf/unwind/loaded_bytes.h"
#include "services/common/base/status.h"
#include "services/common/elf/elf_file.h"

namespace stoker::ebpf {
namespace {

constexpr std::uint64_t kMaxStringBytes = std::uint64_t{64} << 20;
constexpr std::uint64_t kMaxConstantBytes = std::uint64_t{64} << 20;
// A loop that is one function has tens of thousands of bytes.
constexpr std::uint64_t kMinLoopBytes = 4096;
constexpr std::string_view kLoopName = "_PyEval_EvalFrameDefault";
constexpr std::string_view kRuntimeName = "_PyRuntime";

// What the symbol tables say of CPython.
struct Symbols {
  std::uint64_t runtime = 0;
  std::uint64_t code_type = 0;
  std::uint64_t version = 0;
  CodeRange loop;
  std::vector<CodeRange> cold;
};

void Take(const Elf64_Sym& entry, std::string_view name, Symbols& symbols) {
  if (entry.st_shndx == SHN_UNDEF || entry.st_value == 0) return;
  if (name == kRuntimeName) symbols.runtime = entry.st_value;
  if (name == "PyCode_Type") symbols.code_type = entry.st_value;
  if (name == "Py_Version") symbols.version = entry.st_value;
  if (!name.starts_with(kLoopName) || ELF64_ST_TYPE(entry.st_info) != STT_FUNC) return;
  const CodeRange range{entry.st_value, entry.st_size};
  // `.cold`, `.part.0`; but `.lto_priv.0` and `.constprop.0` are the function itself.
  if (name.find(".cold") != name.npos || name.find(".part") != name.npos) {
    if (std::ranges::find(symbols.cold, range) == symbols.cold.end()) symbols.cold.push_back(range);
  } else if (range.bytes > symbols.loop.bytes) {
    symbols.loop = range;
  }
}

absl::Status ReadTable(const elf::ByteSource& source, const elf::Section& table,
                       std::string_view strings, Symbols& symbols) {
  constexpr std::uint64_t kChunk = 16'384;
  const std::uint64_t count = table.size / sizeof(Elf64_Sym);
  std::vector<Elf64_Sym> chunk;
  for (std::uint64_t first = 0; first < count; first += kChunk) {
    chunk.resize(std::min(kChunk, count - first));
    const std::span<char> bytes(reinterpret_cast<char*>(chunk.data()),
                                chunk.size() * sizeof(Elf64_Sym));
    STOKER_RETURN_IF_ERROR(source.ReadAt(table.offset + first * sizeof(Elf64_Sym), bytes));
    for (const Elf64_Sym& entry : chunk) {
      if (entry.st_name >= strings.size()) continue;
      // All that is looked for begins so.
      const std::string_view start = strings.substr(entry.st_name);
      if (start.starts_with("_Py") || start.starts_with("Py")) {
        Take(entry, elf::StringAt(strings, entry.st_name, 256), symbols);
      }
    }
  }
  return absl::OkStatus();
}

// Tables without the runtime's name are not read: nearly all files have none.
absl::StatusOr<Symbols> ReadSymbols(const elf::ByteSource& source, const elf::ElfFile& file) {
  Symbols symbols;
  for (const elf::Section& table : file.sections) {
    if (table.type != SHT_SYMTAB && table.type != SHT_DYNSYM) continue;
    if (!table.has_data || table.link >= file.sections.size()) continue;
    const elf::Section& section = file.sections[table.link];
    if (!section.has_data || section.type != SHT_STRTAB || section.size > kMaxStringBytes) continue;
    STOKER_ASSIGN_OR_RETURN(const std::string strings, source.Read(section.offset, section.size));
    if (strings.find(kRuntimeName) == strings.npos) continue;
    STOKER_RETURN_IF_ERROR(ReadTable(source, table, strings, symbols));
  }
  return symbols;
}

std::uint64_t Number(std::string_view bytes, std::size_t at) {
  std::uint64_t number = 0;
  std::memcpy(&number, bytes.data() + at, sizeof number);
  return number;
}

// The minor versions N of which `constants` has a word that ends in "python3.N": the folder of the
// standard library.
std::set<int> MinorVersions(std::string_view constants) {
  constexpr std::string_view kPrefix = "python3.";
  std::set<int> minors;
  for (std::size_t at = constants.find(kPrefix); at != constants.npos;
       at = constants.find(kPrefix, at + kPrefix.size())) {
    const std::string_view digits = constants.substr(at + kPrefix.size(), 3);
    const std::size_t end = digits.find('\0');
    if (end == 1) minors.insert(digits[0] - '0');
    if (end == 2) minors.insert((digits[0] - '0') * 10 + digits[1] - '0');
  }
  return minors;
}

// The version of a runtime that has no debug offsets: since 3.11 a symbol tells; before, the
// constants of where its library is.
absl::StatusOr<std::uint16_t> FindVersion(const elf::ByteSource& source, const elf::ElfFile& file,
                                          const Symbols& symbols) {
  if (symbols.version != 0) {
    const auto bytes = unwind::ReadLoaded(source, file, symbols.version, 8);
    if (bytes) return static_cast<std::uint16_t>(Number(*bytes, 0) >> 16);
  }
  const elf::Section* const section = file.FindSection(".rodata");
  if (section == nullptr || !section->has_data || section->size > kMaxConstantBytes) {
    return FailedPrecondition("a Python of unknown version");
  }
  STOKER_ASSIGN_OR_RETURN(const std::string constants, source.Read(section->offset, section->size));
  const std::set<int> minors = MinorVersions(constants);
  if (minors.size() != 1) return FailedPrecondition("a Python of unknown version");
  return static_cast<std::uint16_t>(0x0300 | *minors.begin());
}

void AddLoops(const std::vector<CodeRange>& loops, PythonRuntimeAnswer& answer) {
  for (const CodeRange& range : loops) {
    answer.add_loop_start(range.start);
    answer.add_loop_bytes(range.bytes);
  }
}

absl::Status FindLoops(const elf::ByteSource& source, const elf::ElfFile& file, Symbols& symbols,
                       PythonRuntimeAnswer& answer) {
  if (symbols.loop.bytes == 0) {
    return FailedPrecondition("a Python whose evaluation loop no symbol tells");
  }
  if (symbols.loop.bytes < kMinLoopBytes) {
    const std::vector<CodeRange> calls = FindLoopCalls(source, file, symbols.loop);
    if (calls.empty()) {
      return FailedPrecondition("a Python made of tail calls whose entries were not found");
    }
    answer.set_is_called(true);
    AddLoops(calls, answer);
    return absl::OkStatus();
  }
  std::vector<CodeRange> loops = {symbols.loop};
  if (symbols.cold.empty() && file.FindSection(".symtab") == nullptr) {
    symbols.cold = FindColdParts(source, file, symbols.loop);
  }
  loops.insert(loops.end(), symbols.cold.begin(), symbols.cold.end());
  // Of more than there is room for, the smallest are left out.
  std::ranges::sort(loops, std::greater(), &CodeRange::bytes);
  if (loops.size() > STOKER_PYTHON_LOOPS) loops.resize(STOKER_PYTHON_LOOPS);
  AddLoops(loops, answer);
  return absl::OkStatus();
}

absl::Status Describe(const elf::ByteSource& source, const elf::ElfFile& file, Symbols& symbols,
                      PythonRuntimeAnswer& answer) {
  if (file.machine != EM_X86_64) return FailedPrecondition("a Python of another machine");
  auto head = unwind::ReadLoaded(source, file, symbols.runtime, kPythonDebugOffsetsBytes);
  if (head && head->starts_with("xdebugpy")) {
    answer.set_version(static_cast<std::uint16_t>(Number(*head, 8) >> 16));
    answer.set_debug_offsets(*std::move(head));
  } else {
    STOKER_ASSIGN_OR_RETURN(const std::uint16_t version, FindVersion(source, file, symbols));
    answer.set_version(version);
  }
  answer.set_runtime(symbols.runtime);
  answer.set_code_type(symbols.code_type);
  return FindLoops(source, file, symbols, answer);
}

absl::StatusOr<PythonRuntimeAnswer> Look(const elf::ByteSource& source) {
  PythonRuntimeAnswer answer;
  STOKER_ASSIGN_OR_RETURN(const elf::ElfFile file, elf::ReadElfFile(source));
  if (file.elf_class != ELFCLASS64) return answer;
  STOKER_ASSIGN_OR_RETURN(Symbols symbols, ReadSymbols(source, file));
  if (symbols.runtime == 0) {
    const elf::Section* const section = file.FindSection(".PyRuntime");
    if (section == nullptr) return answer;
    symbols.runtime = section->address;
  }
  answer.set_found(true);
  const absl::Status status = Describe(source, file, symbols, answer);
  if (!status.ok()) answer.set_refused(std::string(Message(status)));
  return answer;
}

// The runtime that a worker told of. Null: the file has none.
absl::StatusOr<std::shared_ptr<const PythonRuntime>> ToRuntime(const PythonRuntimeAnswer& answer) {
  if (!answer.found()) return nullptr;
  if (!answer.refused().empty()) return FailedPrecondition("{}", answer.refused());
  auto runtime = std::make_shared<PythonRuntime>();
  const auto version = static_cast<std::uint16_t>(answer.version());
  if (!answer.debug_offsets().empty()) {
    const auto code = ReadPythonCodeLayout(answer.debug_offsets());
    const auto walk = ReadPythonWalkLayout(answer.debug_offsets());
    if (!walk.ok()) return FailedPrecondition("{}", Message(walk.status()));
    if (!code.ok()) return FailedPrecondition("{}", Message(code.status()));
    runtime->code = *code;
    runtime->walk.layout = *walk;
  } else {
    const auto code = FindPythonCodeLayout(version);
    const auto walk = FindPythonWalkLayout(version);
    if (!code || !walk) {
      return FailedPrecondition("Python {}.{} is not supported", version >> 8, version & 0xff);
    }
    runtime->code = *code;
    runtime->walk.layout = *walk;
  }
  runtime->walk.runtime = answer.runtime();
  runtime->walk.code_type = answer.code_type();
  runtime->walk.is_called = answer.is_called() ? 1 : 0;
  const int loops = std::min(
      {answer.loop_start_size(), answer.loop_bytes_size(), static_cast<int>(STOKER_PYTHON_LOOPS)});
  for (int i = 0; i < loops; ++i) {
    runtime->walk.loops[i] = {.start = answer.loop_start(i), .bytes = answer.loop_bytes(i)};
  }
  return runtime;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const PythonRuntime>> FindPythonRuntime(
    const elf::ByteSource& source) {
  STOKER_ASSIGN_OR_RETURN(const PythonRuntimeAnswer answer, Look(source));
  return ToRuntime(answer);
}

absl::StatusOr<std::string> PythonRuntimeJob(std::span<const int> fds, std::string_view) {
  if (fds.size() != 1) return InvalidArgument("{} files where one is looked at", fds.size());
  STOKER_ASSIGN_OR_RETURN(const std::unique_ptr<elf::ByteSource> source, elf::OpenFdSource(fds[0]));
  STOKER_ASSIGN_OR_RETURN(const PythonRuntimeAnswer answer, Look(*source));
  return answer.SerializeAsString();
}

absl::StatusOr<std::shared_ptr<const PythonRuntime>> FindPythonRuntimeInSandbox(
    sandbox::Sandbox& sandbox, int fd, absl::Duration deadline) {
  STOKER_ASSIGN_OR_RETURN(const std::string bytes,
                          sandbox.Run(kPythonRuntimeJob, std::span(&fd, 1), "", deadline));
  PythonRuntimeAnswer answer;
  if (!answer.ParseFromString(bytes)) return DataLoss("the worker sent no answer");
  return ToRuntime(answer);
}

}  // namespace stoker::ebpf
