// Proves that every form of call frame information that toolchains write becomes the rule it means,
// and that malformed entries cost themselves alone.
#include "services/collector/ebpf/unwind/cfi_parser.h"

#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/collector/ebpf/unwind/fake_cfi.h"

namespace stoker::ebpf::unwind {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// def_cfa sp+8; offset ra cfa-8
const std::string kInitial("\x0c\x07\x08\x90\x01", 5);

std::string Bytes(std::initializer_list<int> bytes) {
  std::string text;
  for (const int byte : bytes) text += static_cast<char>(byte);
  return text;
}

// Code at [0x401000, 0x402000).
Text TestText() { return {.base = 0x400000, .ranges = {{0x1000, 0x2000}}, .bytes = 0x1000}; }

struct Parsed {
  RuleSet rules;
  RowSet rows;
  std::vector<std::size_t> signal_frames;

  // "offset: rule" of the rows, counted from 0x401000.
  [[nodiscard]] std::vector<std::string> Texts() const {
    std::vector<std::string> texts;
    for (const Row& row : rows.rows) {
      texts.push_back(
          fmt::format("{:x}: {}", row.offset - 0x1000, Describe(rules.rules()[row.rule])));
    }
    return texts;
  }
};

Parsed Parse(const FakeCfi& cfi, bool is_debug_frame = false, const Machine& machine = kX64) {
  Parsed parsed;
  const CfiSection section = {
      .bytes = cfi.bytes(), .address = 0x10000, .is_debug_frame = is_debug_frame};
  parsed.signal_frames = ParseCfi(section, machine, TestText(), {}, parsed.rules, parsed.rows);
  return parsed;
}

// The rows of one function of 256 bytes with these instructions.
std::vector<std::string> RowsOf(const std::string& instructions) {
  FakeCfi cfi;
  cfi.Fde(cfi.Cie("", kInitial), 0x401000, 0x100, instructions);
  const Parsed parsed = Parse(cfi);
  EXPECT_EQ(parsed.rows.malformed, 0U);
  return parsed.Texts();
}

TEST(CfiParserTest, PushAndPop) {
  // advance 1; def_cfa_offset 16; offset bp cfa-16; advance 3; def_cfa_register bp; advance 0x20;
  // def_cfa sp 8; restore bp
  EXPECT_THAT(
      RowsOf(Bytes({0x41, 0x0e, 0x10, 0x86, 0x02, 0x43, 0x0d, 0x06, 0x60, 0x0c, 0x07, 0x08, 0xc6})),
      ElementsAre("0: cfa=sp+8", "1: cfa=sp+16 bp=*(cfa-16)", "4: cfa=bp+16 bp=*(cfa-16)",
                  "24: cfa=sp+8"));
}

TEST(CfiParserTest, RemembersAndRestoresTheCfaToo) {
  // remember; advance 4; def_cfa_offset 32; advance 4; restore_state
  EXPECT_THAT(RowsOf(Bytes({0x0a, 0x44, 0x0e, 0x20, 0x44, 0x0b})),
              ElementsAre("0: cfa=sp+8", "4: cfa=sp+32", "8: cfa=sp+8"));
}

TEST(CfiParserTest, EqualNeighboursAreOneRow) {
  // offset r12 twice: a register that unwinding does not follow
  EXPECT_THAT(RowsOf(Bytes({0x44, 0x8c, 0x03, 0x44, 0x8d, 0x04})), ElementsAre("0: cfa=sp+8"));
}

TEST(CfiParserTest, WideAdvances) {
  // advance_loc1 0x10; offset 16; advance_loc2 0x20; offset 24; advance_loc4 0x30; offset 32
  EXPECT_THAT(RowsOf(Bytes({0x02, 0x10, 0x0e, 0x10, 0x03, 0x20, 0, 0x0e, 0x18, 0x04, 0x30, 0, 0, 0,
                            0x0e, 0x20})),
              ElementsAre("0: cfa=sp+8", "10: cfa=sp+16", "30: cfa=sp+24", "60: cfa=sp+32"));
}

TEST(CfiParserTest, NothingCountsPastTheEnd) {
  EXPECT_THAT(RowsOf(Bytes({0x04, 0, 1, 0, 0, 0x0e, 0x10})), ElementsAre("0: cfa=sp+8"));
  EXPECT_THAT(RowsOf(Bytes({0x04, 0xff, 0xff, 0xff, 0xff, 0x0e, 0x10})),
              ElementsAre("0: cfa=sp+8"));
}

TEST(CfiParserTest, PltStubs) {
  // def_cfa_expression: breg7 8; breg16 0; lit15; and; lit11; ge; lit3; shl; plus
  EXPECT_THAT(RowsOf(Bytes({0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22})),
              ElementsAre("0: plt sp+8 from 11"));
}

TEST(CfiParserTest, RealignedFrames) {
  // def_cfa_expression: breg6 -8; deref, and bp at breg6 0: what GCC writes
  EXPECT_THAT(RowsOf(Bytes({0x0f, 3, 0x76, 0x78, 0x06, 0x10, 6, 2, 0x76, 0})),
              ElementsAre("0: cfa=*(bp-8)+0 bp=*(bp+0)"));
  // breg7 16; deref; plus_uconst 8: what OpenSSL writes
  EXPECT_THAT(RowsOf(Bytes({0x0f, 5, 0x77, 16, 0x06, 0x23, 8})), ElementsAre("0: cfa=*(sp+16)+8"));
  // breg10 0 as CFA; breg8 24; deref; lit8; plus
  EXPECT_THAT(RowsOf(Bytes({0x0c, 10, 0})), ElementsAre("0: cfa=r10+0"));
  EXPECT_THAT(RowsOf(Bytes({0x0f, 5, 0x78, 24, 0x06, 0x38, 0x22})),
              ElementsAre("0: cfa=*(r8+24)+8"));
}

TEST(CfiParserTest, AnAddressBySpIsOneByTheCfa) {
  // def_cfa_offset 32; bp at breg7 8, which is CFA - 24
  EXPECT_THAT(RowsOf(Bytes({0x0e, 32, 0x10, 6, 2, 0x77, 8})),
              ElementsAre("0: cfa=sp+32 bp=*(cfa-24)"));
}

TEST(CfiParserTest, TheReturnAddressInARegister) {
  // vfork: pop %rdi; register ra in rdi
  EXPECT_THAT(RowsOf(Bytes({0x41, 0x0e, 0, 0x09, 16, 5})),
              ElementsAre("0: cfa=sp+8", "1: cfa=sp+0 ra=r5"));
}

TEST(CfiParserTest, AnUndefinedReturnAddressEndsTheStack) {
  EXPECT_THAT(RowsOf(Bytes({0x07, 16})), ElementsAre("0: end"));
}

TEST(CfiParserTest, WhatNoRuleSaysIsUnsupported) {
  // longjmp: sp in r8
  EXPECT_THAT(RowsOf(Bytes({0x09, 7, 8})), ElementsAre("0: unsupported"));
  // A CFA by multiplication.
  EXPECT_THAT(RowsOf(Bytes({0x0f, 4, 0x77, 0, 0x32, 0x1e})), ElementsAre("0: unsupported"));
  // A CFA that is moved by an offset after an expression.
  EXPECT_THAT(RowsOf(Bytes({0x0f, 3, 0x76, 0x78, 0x06, 0x44, 0x0e, 16})),
              ElementsAre("0: cfa=*(bp-8)+0", "4: unsupported"));
  // bp in another register: lost to who does not follow that.
  EXPECT_THAT(RowsOf(Bytes({0x09, 6, 3})), ElementsAre("0: cfa=sp+8 bp=?"));
}

TEST(CfiParserTest, SignalFrames) {
  FakeCfi cfi;
  // glibc's __restore_rt: CFA = *(sp + 160), ra at sp + 168.
  const std::size_t cie = cfi.Cie("zRS", Bytes({1, 0}));
  cfi.Fde(cie, 0x401000, 9,
          Bytes({0, 0x0f, 4, 0x77, 0xa0, 0x01, 0x06, 0x10, 16, 3, 0x77, 0xa8, 0x01, 0x10, 6, 3,
                 0x77, 0xf8, 0x00}));
  const Parsed parsed = Parse(cfi);
  EXPECT_THAT(parsed.Texts(), ElementsAre("0: signal ucontext=sp+0"));
  EXPECT_THAT(parsed.signal_frames, ElementsAre(0U));
}

TEST(CfiParserTest, PointersRelativeToThemselves) {
  FakeCfi cfi;
  const std::size_t cie = cfi.Cie("zPLR", Bytes({7, 0x9b, 0, 0, 0, 0, 0x1b, 0x1b}) + kInitial);
  const std::size_t id_at = cfi.bytes().size() + 4;
  const std::uint64_t field = 0x10000 + id_at + 4;
  cfi.Add(FakeCfi::Word(static_cast<std::uint32_t>(id_at - cie)) +
          FakeCfi::Word(static_cast<std::uint32_t>(0x401000 - field)) + FakeCfi::Word(0x80) +
          Bytes({4, 0, 0, 0, 0, 0x44, 0x0e, 0x10}));
  const Parsed parsed = Parse(cfi);
  EXPECT_EQ(parsed.rows.malformed, 0U);
  EXPECT_THAT(parsed.Texts(), ElementsAre("0: cfa=sp+8", "4: cfa=sp+16"));
}

TEST(CfiParserTest, DebugFrame) {
  FakeCfi cfi(true);
  cfi.Fde(cfi.Cie("", kInitial), 0x401000, 0x10, Bytes({0x44, 0x0e, 0x10}));
  // Of a function that the linker discarded.
  cfi.Fde(0, 0, 0x10, "");
  const Parsed parsed = Parse(cfi, true);
  EXPECT_THAT(parsed.Texts(), ElementsAre("0: cfa=sp+8", "4: cfa=sp+16"));
  EXPECT_EQ(parsed.rows.malformed, 0U);
}

TEST(CfiParserTest, KnownFunctionsAreNotReadAgain) {
  FakeCfi cfi;
  cfi.Fde(cfi.Cie("", kInitial), 0x401000, 0x10, "");
  Parsed parsed;
  ParseCfi({.bytes = cfi.bytes()}, kX64, TestText(), {{.begin = 0x1000, .end = 0x1010}},
           parsed.rules, parsed.rows);
  EXPECT_THAT(parsed.rows.ranges, IsEmpty());
}

TEST(CfiParserTest, MalformedEntriesCostThemselvesAlone) {
  FakeCfi cfi;
  const std::size_t cie = cfi.Cie("", kInitial);
  // An unknown instruction after a row; a CIE that is none; restore_state without a state.
  cfi.Fde(cie, 0x401000, 0x10, Bytes({0x44, 0x0e, 0x10, 0x3f}));
  cfi.Fde(cfi.bytes().size() - 8, 0x401010, 0x10, "");
  cfi.Fde(cie, 0x401020, 0x10, Bytes({0x0b}));
  cfi.Fde(cie, 0x401030, 0x10, "");
  const Parsed parsed = Parse(cfi);
  EXPECT_EQ(parsed.rows.malformed, 3U);
  EXPECT_THAT(parsed.Texts(),
              ElementsAre("0: cfa=sp+8", "4: unsupported", "20: unsupported", "30: cfa=sp+8"));
}

TEST(CfiParserTest, RememberedStatesAreBounded) {
  FakeCfi cfi;
  cfi.Fde(cfi.Cie("", kInitial), 0x401000, 0x10, std::string(65, '\x0a'));
  const Parsed parsed = Parse(cfi);
  EXPECT_EQ(parsed.rows.malformed, 1U);
  EXPECT_THAT(parsed.Texts(), ElementsAre("0: unsupported"));
}

TEST(CfiParserTest, EveryPrefixIsRead) {
  FakeCfi cfi;
  const std::size_t cie = cfi.Cie("zRS", Bytes({1, 0}) + kInitial);
  cfi.Fde(cie, 0x401000, 9, Bytes({0, 0x0f, 4, 0x77, 0xa0, 0x01, 0x06, 0x41, 0x0a, 0x0b, 0x41}));
  for (std::size_t size = 0; size < cfi.bytes().size(); ++size) {
    Parsed parsed;
    ParseCfi({.bytes = std::string_view(cfi.bytes()).substr(0, size)}, kX64, TestText(), {},
             parsed.rules, parsed.rows);
    EXPECT_THAT(parsed.rows.ranges, IsEmpty()) << size;
  }
}

// arm64 has no walker yet: its information is parsed into the same rules.
TEST(CfiParserTest, Aarch64KeepsTheReturnAddressInX30) {
  FakeCfi cfi;
  // def_cfa sp 0; then stp x29, x30, [sp, -32]!: def_cfa_offset 32; offset x29 -32; offset x30 -24;
  // then mov x29, sp: def_cfa_register x29; then negate_ra_state
  const std::size_t cie = cfi.Cie("", Bytes({0x0c, 31, 0}), 30);
  cfi.Fde(cie, 0x401000, 0x100, Bytes({0x2d, 0x44, 0x0e, 32, 0x9d, 4, 0x9e, 3, 0x44, 0x0d, 29}));
  EXPECT_THAT(
      Parse(cfi, false, kAarch64).Texts(),
      ElementsAre("0: cfa=sp+0 ra=r15", "4: cfa=sp+32 bp=*(cfa-32)", "8: cfa=bp+32 bp=*(cfa-32)"));
}

}  // namespace
}  // namespace stoker::ebpf::unwind
