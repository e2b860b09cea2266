#include <algorithm>
#include <cstring>
#include <fstream>
#include <string>

#include <elf.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

#include "services/common/base/status.h"
#include "services/common/base/unique_fd.h"
#include "services/common/elf/build_id.h"
#include "services/common/elf/elf_file.h"
#include "services/common/elf/function_ranges.h"
#include "services/common/elf/inspect.h"
#include "services/common/elf/symbols.h"
#include "services/common/sandbox/worker.h"

namespace stoker::elf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kProgram[] = "services/common/elf/program";

std::string ReadProgram() {
  std::ifstream file(kProgram, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// `T` at `offset` of `bytes`, to be changed.
template <typename T>
T& At(std::string& bytes, std::size_t offset) {
  return *reinterpret_cast<T*>(bytes.data() + offset);
}

const Symbol* Find(const SymbolList& list, std::string_view name) {
  const auto it = std::find_if(list.symbols.begin(), list.symbols.end(),
                               [name](const Symbol& symbol) { return symbol.name == name; });
  return it == list.symbols.end() ? nullptr : &*it;
}

// A linked program has its headers, its functions (static ones too) and the build id of its note.
TEST(ElfTest, ReadsProgram) {
  const std::string bytes = ReadProgram();
  const MemorySource source(bytes);
  const absl::StatusOr<ElfFile> file = ReadElfFile(source);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->elf_class, ELFCLASS64);
  ASSERT_NE(file->FindSection(".text"), nullptr);
  EXPECT_EQ(FindBuildId(source, *file), "\xab\xcd\xef\x01\x23");

  const auto list = ReadSymbols(source, file->sections, file->elf_class);
  ASSERT_TRUE(list.ok()) << list.status();
  ASSERT_NE(Find(*list, "stoker_hot"), nullptr);
  ASSERT_NE(Find(*list, "stoker_work"), nullptr);
  EXPECT_EQ(Find(*list, "hot_counter"), nullptr) << "data is no function";
  const Symbol hot = *Find(*list, "stoker_hot");
  const auto ranges = ToFunctionRanges(list->symbols, file->sections);
  EXPECT_THAT(ranges, ::testing::Contains(
                          FunctionRange{hot.address, hot.address + hot.size, "stoker_hot"}));
  EXPECT_TRUE(std::is_sorted(ranges.begin(), ranges.end(), [](const auto& a, const auto& b) {
    return a.end <= b.begin && a.begin < b.begin;
  }));
}

// An address of a mapping becomes the address that the file's symbols have.
TEST(ElfTest, ElfAddress) {
  const std::string bytes = ReadProgram();
  const absl::StatusOr<Inspection> inspection = Inspect(MemorySource(bytes));
  ASSERT_TRUE(inspection.ok()) << inspection.status();
  EXPECT_EQ(inspection->key().size_bytes(), bytes.size());
  for (const LoadSegment& segment : inspection->load_segments()) {
    if ((segment.flags() & PF_X) == 0) continue;
    const std::uint64_t start = 0x7f0000000000;
    const std::uint64_t page = segment.offset() / 4096 * 4096;
    const std::uint64_t in_page = segment.offset() - page;
    EXPECT_EQ(ElfAddress(*inspection, start, page, start + in_page + 3), segment.address() + 3);
    EXPECT_EQ(ElfAddress(*inspection, start, page, start - 1), std::nullopt);
    EXPECT_EQ(ElfAddress(*inspection, start, std::uint64_t{1} << 40, start), std::nullopt);
  }
}

// The sections that naming needs follow each other in the bytes to send.
TEST(ElfTest, PutLayout) {
  const std::string bytes = ReadProgram();
  const absl::StatusOr<Inspection> inspection = Inspect(MemorySource(bytes));
  ASSERT_TRUE(inspection.ok());
  std::uint64_t sum = 0;
  std::vector<std::string> names;
  for (const auto& section : inspection->layout().sections()) {
    if (!section.has_data()) continue;
    EXPECT_EQ(section.data_offset(), sum);
    sum += section.size_bytes();
    names.push_back(section.name());
  }
  EXPECT_EQ(inspection->put_bytes(), sum);
  EXPECT_THAT(names, ::testing::UnorderedElementsAre(".dynsym", ".dynstr", ".symtab", ".strtab"));
}

// The hash covers the first and the last 64 KiB: a change at either end is seen.
TEST(ElfTest, ContentHash) {
  const std::string small = "small";
  EXPECT_EQ(*ContentHash(MemorySource(small)), XXH3_64bits(small.data(), small.size()));
  std::string large(300'000, 'a');
  const std::uint64_t hash = *ContentHash(MemorySource(large));
  large[150'000] = 'b';
  EXPECT_EQ(*ContentHash(MemorySource(large)), hash);
  large.back() = 'b';
  EXPECT_NE(*ContentHash(MemorySource(large)), hash);
}

// What is no ELF file, cut off, or lies about its tables, is refused with a reason, whatever size
// it claims; nothing is allocated for a claim.
TEST(ElfTest, Hostile) {
  EXPECT_EQ(ReadElfFile(MemorySource("")).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReadElfFile(MemorySource("#!/bin/sh\necho hello\n")).status(),
            InvalidArgument("not an ELF file"));
  const std::string program = ReadProgram();
  const std::string head = program.substr(0, 40);
  EXPECT_EQ(ReadElfFile(MemorySource(head)).status(), InvalidArgument("the ELF header is cut off"));
  const std::string half = program.substr(0, program.size() / 2);
  EXPECT_THAT(std::string(Message(ReadElfFile(MemorySource(half)).status())),
              HasSubstr("lie past the file's end"));

  std::string bytes = program;
  At<Elf64_Ehdr>(bytes, 0).e_shnum = 0;
  At<Elf64_Shdr>(bytes, At<Elf64_Ehdr>(bytes, 0).e_shoff).sh_size = UINT64_MAX;
  EXPECT_THAT(std::string(Message(ReadElfFile(MemorySource(bytes)).status())),
              HasSubstr("sections where 65536 are allowed"));

  bytes = program;
  At<Elf64_Ehdr>(bytes, 0).e_phentsize = 1;
  EXPECT_FALSE(ReadElfFile(MemorySource(bytes)).ok());
  bytes = program;
  bytes[EI_DATA] = ELFDATA2MSB;
  EXPECT_FALSE(ReadElfFile(MemorySource(bytes)).ok());
}

// A section that claims more than the file has is there, without bytes.
TEST(ElfTest, SectionPastEnd) {
  std::string bytes = ReadProgram();
  const std::uint64_t headers = At<Elf64_Ehdr>(bytes, 0).e_shoff;
  for (int i = 1; i < At<Elf64_Ehdr>(bytes, 0).e_shnum; ++i) {
    auto& header = At<Elf64_Shdr>(bytes, headers + i * sizeof(Elf64_Shdr));
    if (header.sh_type == SHT_SYMTAB) header.sh_size = UINT64_MAX - 8;
  }
  const auto inspection = Inspect(MemorySource(bytes));
  ASSERT_TRUE(inspection.ok()) << inspection.status();
  for (const auto& section : inspection->layout().sections()) {
    EXPECT_TRUE(section.name() != ".symtab" || !section.has_data());
  }
}

// Notes whose sizes run past the end, or wrap around, end the search.
TEST(ElfTest, HostileNotes) {
  std::string note(32, '\0');
  At<Elf64_Nhdr>(note, 0) = {.n_namesz = 4, .n_descsz = 4, .n_type = NT_GNU_BUILD_ID};
  std::memcpy(note.data() + 12, "GNU\0\x01\x02\x03\x04", 8);
  EXPECT_EQ(FindBuildIdInNotes(note, 4), "\x01\x02\x03\x04");
  for (const std::uint32_t size : {25U, 0x7fffffffU, 0xffffffffU}) {
    At<Elf64_Nhdr>(note, 0).n_descsz = size;
    EXPECT_EQ(FindBuildIdInNotes(note, 4), "");
    At<Elf64_Nhdr>(note, 0).n_descsz = 4;
    At<Elf64_Nhdr>(note, 0).n_namesz = size;
    EXPECT_EQ(FindBuildIdInNotes(note, 4), "");
    At<Elf64_Nhdr>(note, 0).n_namesz = 4;
  }
}

// Nested, overlapping, sizeless and doubled symbols become disjoint ranges.
TEST(ElfTest, FunctionRanges) {
  const std::vector<Section> sections = {
      {.flags = SHF_EXECINSTR, .address = 100, .size = 100, .has_data = true}};
  const auto ranges = ToFunctionRanges({{.address = 100, .size = 50, .name = "outer"},
                                        {.address = 110, .size = 10, .name = "inner"},
                                        {.address = 150, .size = 0, .name = "label"},
                                        {.address = 160, .size = 10, .name = "__alias", .rank = 1},
                                        {.address = 160, .size = 10, .name = "alias", .rank = 2},
                                        {.address = 190, .size = UINT64_MAX, .name = "huge"}},
                                       sections);
  EXPECT_THAT(ranges,
              ElementsAre(FunctionRange{100, 110, "outer"}, FunctionRange{110, 120, "inner"},
                          FunctionRange{120, 150, "outer"}, FunctionRange{150, 160, "label"},
                          FunctionRange{160, 170, "alias"}, FunctionRange{190, 200, "huge"}));
}

// The worker answers what the library answers; a file that is no regular file is refused there.
TEST(ElfTest, InspectInSandbox) {
  sandbox::Sandbox sandbox({});
  const UniqueFd program(open(kProgram, O_RDONLY | O_CLOEXEC));
  const auto inspection = InspectInSandbox(sandbox, program.get(), absl::Seconds(20));
  ASSERT_TRUE(inspection.ok()) << inspection.status();
  EXPECT_EQ(inspection->SerializeAsString(),
            Inspect(MemorySource(ReadProgram()))->SerializeAsString());
  const UniqueFd device(open("/dev/zero", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(InspectInSandbox(sandbox, device.get(), absl::Seconds(20)).status(),
            FailedPrecondition("not a regular file"));
}

// A file that is cut while it is read gives an error, not a signal.
TEST(ElfTest, Truncated) {
  const UniqueFd file(memfd_create("elf", MFD_CLOEXEC));
  const std::string bytes = ReadProgram();
  ASSERT_EQ(write(file.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  const auto source = OpenFdSource(file.get());
  ASSERT_TRUE(source.ok());
  ASSERT_EQ(ftruncate(file.get(), 1000), 0);
  EXPECT_EQ(Inspect(**source).status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace stoker::elf

int main(int argc, char** argv) {
  using namespace stoker;
  const sandbox::Jobs jobs = {{elf::kInspectJob, elf::InspectJob}};
  if (sandbox::IsWorker(argc, argv)) return sandbox::RunWorker(argv, jobs);
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
