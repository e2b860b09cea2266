// Prints the unwind table of an ELF file: print_table FILE for all rows, print_table FILE
// ADDRESS... for the rules at ELF virtual addresses (hexadecimal).

#include <cstdlib>
#include <string>

#include <fcntl.h>
#include <fmt/format.h>

#include "services/collector/ebpf/unwind/elf_rows.h"
#include "services/collector/ebpf/unwind/table.h"
#include "services/collector/ebpf/unwind/table_builder.h"
#include "services/common/base/status.h"
#include "services/common/base/unique_fd.h"

namespace {

using namespace stoker;
using namespace stoker::ebpf::unwind;

absl::StatusOr<std::shared_ptr<const Table>> MakeTable(const char* path) {
  const UniqueFd fd(open(path, O_RDONLY | O_CLOEXEC));
  STOKER_ASSIGN_OR_RETURN(const auto source, elf::OpenFdSource(fd.get()));
  STOKER_ASSIGN_OR_RETURN(const ElfRows rows, ReadElfRows(*source));
  fmt::print("# {} functions, {} rows, {} malformed\n", rows.ranges.size(), rows.rows.raw_rows,
             rows.rows.malformed);
  return Table::FromBytes(ToBytes(BuildTable(rows)));
}

void PrintAll(const Table& table) {
  for (const TablePage& page : table.pages()) {
    const std::uint64_t begin = std::uint64_t{page.number} << STOKER_UNWIND_PAGE_BITS;
    const Rule* last = nullptr;
    for (std::uint64_t low = 0; low < STOKER_UNWIND_PAGE_BYTES; ++low) {
      const Rule& rule = table.Lookup(begin + low);
      if (&rule != last) fmt::print("{:x}: {}\n", begin + low, Describe(rule));
      last = &rule;
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const auto table = MakeTable(argv[1]);
  if (!table.ok()) {
    fmt::print(stderr, "{}: {}\n", argv[1], Message(table.status()));
    return 1;
  }
  if (argc == 2) PrintAll(**table);
  for (int i = 2; i < argc; ++i) {
    const std::uint64_t address = std::strtoull(argv[i], nullptr, 16);
    fmt::print("{:x}: {}\n", address, Describe((*table)->Lookup(address)));
  }
  return 0;
}
