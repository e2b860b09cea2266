// Proves that the sections of a file are joined as they should be, that code without a description
// says what can be told of it, and that files past a bound are refused with a reason.
#include "services/collector/ebpf/unwind/elf_rows.h"

#include <string>

#include <gtest/gtest.h>

#include "services/collector/ebpf/unwind/fake_cfi.h"
#include "services/collector/ebpf/unwind/fake_elf.h"
#include "services/collector/ebpf/unwind/table.h"
#include "services/collector/ebpf/unwind/table_builder.h"
#include "services/collector/ebpf/unwind/undescribed_code.h"
#include "services/common/base/status.h"

namespace stoker::ebpf::unwind {
namespace {

const std::string kInitial("\x0c\x07\x08\x90\x01", 5);
// def_cfa_offset 16
const std::string kOther("\x0e\x10");

std::shared_ptr<const Table> TableOf(const FakeElf& elf) {
  const std::string bytes = elf.Bytes();
  const auto rows = ReadElfRows(elf::MemorySource(bytes));
  EXPECT_TRUE(rows.ok()) << rows.status();
  return *Table::FromBytes(ToBytes(BuildTable(*rows)));
}

std::string ErrorOf(const FakeElf& elf) {
  const std::string bytes = elf.Bytes();
  return std::string(Message(ReadElfRows(elf::MemorySource(bytes)).status()));
}

std::string At(const Table& table, std::uint64_t address) {
  return Describe(table.Lookup(address));
}

TEST(ElfRowsTest, DebugFrameAddsWhatEhFrameLacks) {
  FakeCfi eh_frame;
  eh_frame.Fde(eh_frame.Cie("", kInitial), 0x401000, 0x100, "");
  FakeCfi debug_frame(true);
  const std::size_t cie = debug_frame.Cie("", kInitial);
  debug_frame.Fde(cie, 0x401000, 0x100, kOther);
  debug_frame.Fde(cie, 0x401100, 0x100, kOther);
  // It begins before what .eh_frame has and goes on behind: only that counts.
  debug_frame.Fde(cie, 0x400f00, 0x400, kOther);
  FakeElf elf;
  elf.Code(0x400000, "", 0x3000)
      .Section(".eh_frame", 0x500000, eh_frame.bytes())
      .Section(".debug_frame", 0, debug_frame.bytes(), 0);
  const auto table = TableOf(elf);
  EXPECT_EQ(At(*table, 0x400fff), "cfa=sp+16");
  EXPECT_EQ(At(*table, 0x401000), "cfa=sp+8");
  EXPECT_EQ(At(*table, 0x4010ff), "cfa=sp+8");
  EXPECT_EQ(At(*table, 0x401100), "cfa=sp+16");
  EXPECT_EQ(At(*table, 0x4012ff), "cfa=sp+16");
  EXPECT_EQ(At(*table, 0x401300), "none");
}

TEST(ElfRowsTest, FunctionsNeedNotBeSorted) {
  FakeCfi eh_frame;
  const std::size_t cie = eh_frame.Cie("", kInitial);
  eh_frame.Fde(cie, 0x401200, 0x100, kOther);
  eh_frame.Fde(cie, 0x401000, 0x100, "");
  FakeElf elf;
  elf.Code(0x400000, "", 0x3000).Section(".eh_frame", 0x500000, eh_frame.bytes());
  const auto table = TableOf(elf);
  EXPECT_EQ(At(*table, 0x401000), "cfa=sp+8");
  EXPECT_EQ(At(*table, 0x401100), "none");
  EXPECT_EQ(At(*table, 0x401200), "cfa=sp+16");
}

TEST(ElfRowsTest, CodeWithoutADescription) {
  std::string code(0x1000, '\x90');
  code.replace(0x800, kSigreturnCode.size(), kSigreturnCode);
  FakeCfi eh_frame;
  eh_frame.Fde(eh_frame.Cie("", kInitial), 0x400040, 0x100, "");
  FakeElf elf;
  elf.Code(0x400000, code).Section(".eh_frame", 0x500000, eh_frame.bytes()).Entry(0x400010);
  const auto table = TableOf(elf);
  EXPECT_EQ(At(*table, 0x40000f), "none");
  EXPECT_EQ(At(*table, 0x400010), "end");
  EXPECT_EQ(At(*table, 0x40003f), "end");
  EXPECT_EQ(At(*table, 0x400040), "cfa=sp+8");
  EXPECT_EQ(At(*table, 0x4007fe), "none");
  EXPECT_EQ(At(*table, 0x4007ff), "signal ucontext=sp+0");
  EXPECT_EQ(At(*table, 0x400808), "signal ucontext=sp+0");
  EXPECT_EQ(At(*table, 0x400809), "none");
}

TEST(ElfRowsTest, RefusesWhatIsPastItsBounds) {
  FakeElf none;
  EXPECT_EQ(ErrorOf(none), "no executable segment");
  FakeElf wide;
  wide.Code(0x400000, "", 0x1000).Code(0x2'0000'0000, "", 0x1000);
  EXPECT_EQ(ErrorOf(wide), "executable segments span more than 4 GiB");
  FakeElf many;
  for (int i = 0; i < 65; ++i) many.Code(0x400000 + i * 0x2000, "", 0x1000);
  EXPECT_EQ(ErrorOf(many), "65 executable segments");
  FakeElf wraps;
  wraps.Code(~std::uint64_t{0xfff}, "", 0x2000);
  EXPECT_EQ(ErrorOf(wraps), "a segment wraps around");
  FakeElf kernel;
  kernel.Code(0xffff'8000'0000'0000, "", 0x2000);
  EXPECT_EQ(ErrorOf(kernel), "no addresses of user space");
  FakeElf sparc(EM_SPARCV9);
  EXPECT_EQ(ErrorOf(sparc), "machine 43 is not known");
}

// 1 MiB that says to be 64 GiB; 64 bytes that say to be a section of DWARF.
TEST(ElfRowsTest, RefusesBombs) {
  Elf64_Chdr header{};
  header.ch_type = ELFCOMPRESS_ZLIB;
  header.ch_size = std::uint64_t{64} << 30;
  std::string bytes(reinterpret_cast<const char*>(&header), sizeof header);
  bytes += std::string(1 << 20, 'x');
  FakeElf elf;
  elf.Code(0x400000, "", 0x1000).Section(".debug_frame", 0, bytes, SHF_COMPRESSED);
  EXPECT_EQ(ErrorOf(elf), ".debug_frame of 1048600 bytes inflates to 68719476736");
  header.ch_size = 64;
  std::memcpy(bytes.data(), &header, sizeof header);
  FakeElf other;
  other.Code(0x400000, "", 0x1000).Section(".debug_frame", 0, bytes, SHF_COMPRESSED);
  EXPECT_EQ(ErrorOf(other), ".debug_frame cannot be inflated");
}

// arm64: read into the same table, though no walker reads it yet.
TEST(ElfRowsTest, Aarch64) {
  FakeCfi eh_frame;
  // def_cfa sp 0; stp x29, x30, [sp, -32]!
  const std::size_t cie = eh_frame.Cie("", std::string("\x0c\x1f\x00", 3), 30);
  eh_frame.Fde(cie, 0x401000, 0x100, "\x44\x0e\x20\x9d\x04\x9e\x03");
  FakeElf elf(EM_AARCH64);
  elf.Code(0x400000, "", 0x3000).Section(".eh_frame", 0x500000, eh_frame.bytes());
  const auto table = TableOf(elf);
  EXPECT_EQ(table->header().machine, EM_AARCH64);
  EXPECT_EQ(At(*table, 0x401000), "cfa=sp+0 ra=r15");
  EXPECT_EQ(At(*table, 0x401004), "cfa=sp+32 bp=*(cfa-32)");
  EXPECT_EQ(table->Lookup(0x401004).extra, -24);
}

}  // namespace
}  // namespace stoker::ebpf::unwind
