// Proves, on images of memory, what each rule does with a frame, and the reason of each end.
#include "services/collector/ebpf/walker/stack_walk.h"

#include <cstring>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/collector/ebpf/walker/heap_memory.h"

namespace stoker::ebpf::walker {
namespace {

using ::testing::ElementsAre;

constexpr std::uint64_t kCode = 0x555555554000;
constexpr std::uint64_t kElf = 0x1000;
constexpr std::uint64_t kJit = 0x700000000000;
constexpr std::uint64_t kStack = 0x7ffffffde000;
// Of the functions in the file, from kCode on: one every 0x100 bytes.
constexpr std::uint64_t F(int function, std::uint64_t at = 0x10) {
  return kCode + static_cast<std::uint64_t>(function) * 0x100 + at;
}

// A process with one file of a single page, and a mapping without a table.
class StackWalkTest : public ::testing::Test {
 protected:
  StackWalkTest() {
    registers_.value[STOKER_REGISTER_SP] = kStack;
    registers_.ip = F(0);
  }

  // The rule of the next function.
  void Function(const stoker_unwind_rule& rule) { rules_.push_back(rule); }
  void Word(std::uint64_t offset, std::uint64_t value) {
    std::memcpy(stack_.data() + offset, &value, sizeof(value));
  }

  StackWalk Walk() {
    Publish();
    return WalkStack(memory_, process_, registers_, {.address = kStack, .bytes = stack_});
  }

  void Publish() {
    std::uint8_t* chunk = memory_.Chunk(0);
    ASSERT_NE(chunk, nullptr);
    // At unit 2 the mappings, at unit 16 the directory, at unit 32 the page.
    const stoker_unwind_mapping mappings[] = {
        {.key = kCode >> 12 << STOKER_UNWIND_KEY_SHIFT | 16 << 4 | STOKER_UNWIND_TABLE,
         .pages = 15,
         .elf_page = kElf >> 12},
        {.key = kJit >> 12 << STOKER_UNWIND_KEY_SHIFT | STOKER_UNWIND_FRAME_POINTERS, .pages = 1},
        {.key = ((kJit >> 12) + 8) << STOKER_UNWIND_KEY_SHIFT | STOKER_UNWIND_PENDING, .pages = 1}};
    std::memcpy(chunk + 2 * 16, mappings, sizeof(mappings));
    process_.place[0] = 2;
    process_.count[0] = 3;
    const stoker_unwind_directory directory{.count = 1};
    std::memcpy(chunk + 16 * 16, &directory, sizeof(directory));
    const stoker_unwind_page page{
        .body = page_absent_ ? 0 : 32 | (rules_.size() + 1) << 32 | (rules_.size() + 1) << 48};
    std::memcpy(chunk + 17 * 16, &page, sizeof(page));
    std::uint8_t* body = chunk + 32 * 16;
    stoker_unwind_entry* entries = reinterpret_cast<stoker_unwind_entry*>(body);
    auto* lows = reinterpret_cast<__u16*>(entries + rules_.size() + 1);
    auto* numbers = reinterpret_cast<std::uint8_t*>(lows + rules_.size() + 1);
    for (std::size_t i = 0; i <= rules_.size(); ++i) {
      entries[i] = {.rule = {static_cast<__u16>(i), 0, 0}};
      lows[i] = static_cast<__u16>(i == 0 ? 0 : kElf + (i - 1) * 0x100);
      numbers[i] = static_cast<std::uint8_t>(i);
      memory_.Rules()[i] = i == 0 ? stoker_unwind_rule{} : rules_[i - 1];
    }
  }

  HeapMemory memory_;
  stoker_unwind_process process_{};
  stoker_registers registers_{};
  std::vector<std::uint8_t> stack_ = std::vector<std::uint8_t>(4096);
  std::vector<stoker_unwind_rule> rules_;
  bool page_absent_ = false;
};

constexpr stoker_unwind_rule kEnd{.cfa = STOKER_CFA_END};
constexpr stoker_unwind_rule Sp(int offset) { return {.cfa = STOKER_CFA_SP, .cfa_offset = offset}; }

TEST_F(StackWalkTest, FollowsTheStackPointerToTheEnd) {
  Function(Sp(16));
  Function(Sp(32));
  Function(kEnd);
  Word(8, F(1));
  Word(16 + 24, F(2));
  const StackWalk walk = Walk();
  EXPECT_THAT(walk.frames, ElementsAre(F(0), F(1), F(2)));
  EXPECT_EQ(walk.stop, STOKER_STOP_COMPLETE);
}

TEST_F(StackWalkTest, LooksUpACallerBeforeItsReturnAddress) {
  // The call is the last instruction of function 1: its return address is the next one's first.
  Function(Sp(8));
  Function(kEnd);
  Function({.cfa = STOKER_CFA_UNSUPPORTED});
  Word(0, F(2, 0));
  EXPECT_EQ(Walk().stop, STOKER_STOP_COMPLETE);
  // The innermost address is looked up itself.
  registers_.ip = F(2, 0);
  EXPECT_EQ(Walk().stop, STOKER_STOP_UNSUPPORTED_RULE);
}

TEST_F(StackWalkTest, SavedAndLostFramePointers) {
  Function({.cfa = STOKER_CFA_SP, .bp = STOKER_BP_AT_CFA, .cfa_offset = 24, .bp_offset = -16});
  Function({.cfa = STOKER_CFA_BP, .bp = STOKER_BP_AT_CFA, .cfa_offset = 16, .bp_offset = -16});
  Function({.cfa = STOKER_CFA_BP, .bp = STOKER_BP_UNKNOWN, .cfa_offset = 16});
  Function({.cfa = STOKER_CFA_BP, .cfa_offset = 16});
  Word(8, kStack + 0x100);
  Word(16, F(1));
  Word(0x100, kStack + 0x200);
  Word(0x108, F(2));
  Word(0x208, F(3));
  const StackWalk walk = Walk();
  EXPECT_THAT(walk.frames, ElementsAre(F(0), F(1), F(2), F(3)));
  EXPECT_EQ(walk.stop, STOKER_STOP_UNSUPPORTED_RULE);
}

TEST_F(StackWalkTest, RealignedFrames) {
  // As GCC makes them: the CFA is kept 8 bytes below bp, and bp itself at bp.
  Function({.cfa = STOKER_CFA_AT_BP, .bp = STOKER_BP_AT_BP, .cfa_offset = -8, .bp_offset = 0});
  Function({.cfa = STOKER_CFA_AT_SP, .cfa_offset = 8, .extra = 8});
  Function(kEnd);
  registers_.value[STOKER_REGISTER_BP] = kStack + 0x80;
  Word(0x78, kStack + 0x100);
  Word(0x80, 0x1234);
  Word(0xf8, F(1));
  Word(0x108, kStack + 0x200);
  Word(0x200, F(2));
  const StackWalk walk = Walk();
  EXPECT_THAT(walk.frames, ElementsAre(F(0), F(1), F(2)));
  EXPECT_EQ(walk.stop, STOKER_STOP_COMPLETE);
}

TEST_F(StackWalkTest, OtherRegistersInTheInnermostFrameOnly) {
  Function({.cfa = STOKER_CFA_REGISTER, .registers = 10, .cfa_offset = 8});
  Function({.cfa = STOKER_CFA_REGISTER, .registers = 10, .cfa_offset = 8});
  registers_.value[10] = kStack + 0x40;
  Word(0x40, F(1));
  StackWalk walk = Walk();
  EXPECT_THAT(walk.frames, ElementsAre(F(0), F(1)));
  EXPECT_EQ(walk.stop, STOKER_STOP_UNSUPPORTED_RULE);
  rules_[0] = {.cfa = STOKER_CFA_AT_REGISTER, .registers = 10, .cfa_offset = 0, .extra = 16};
  rules_[1] = kEnd;
  Word(0x40, kStack + 0x50);
  Word(0x58, F(1));
  walk = Walk();
  EXPECT_THAT(walk.frames, ElementsAre(F(0), F(1)));
  EXPECT_EQ(walk.stop, STOKER_STOP_COMPLETE);
}

TEST_F(StackWalkTest, ReturnAddressInARegister) {
  // As in vfork, which takes its return address off the stack: rdi is 5.
  Function({.cfa = STOKER_CFA_SP, .ra = STOKER_RA_REGISTER, .registers = 5 << 4});
  Function(Sp(16));
  Function(kEnd);
  registers_.value[5] = F(1);
  Word(8, F(2));
  EXPECT_THAT(Walk().frames, ElementsAre(F(0), F(1), F(2)));
}

TEST_F(StackWalkTest, LinkageStubs) {
  Function({.cfa = STOKER_CFA_PLT, .cfa_offset = 8, .extra = 11});
  Function(kEnd);
  registers_.ip = F(0, 10);
  Word(0, F(1));
  EXPECT_THAT(Walk().frames, ElementsAre(F(0, 10), F(1)));
  registers_.ip = F(0, 11);
  Word(0, 0x99);
  Word(8, F(1));
  EXPECT_THAT(Walk().frames, ElementsAre(F(0, 11), F(1)));
}

TEST_F(StackWalkTest, ASignalGivesAllRegistersBack) {
  Function(Sp(8));
  Function({.cfa = STOKER_CFA_SIGNAL});
  Function({.cfa = STOKER_CFA_REGISTER, .registers = 12, .cfa_offset = 8});
  Function(kEnd);
  Word(0, F(1, 1));
  // The ucontext begins at kStack + 8; r12 is its fifth register, rsp the 16th, rip the 17th.
  Word(8 + 40 + 4 * 8, kStack + 0x800);
  Word(8 + 40 + 15 * 8, kStack + 0x10);
  // An interrupted function's first instruction: looked up itself.
  Word(8 + 40 + 16 * 8, F(2, 0));
  Word(0x800, F(3));
  const StackWalk walk = Walk();
  EXPECT_THAT(walk.frames, ElementsAre(F(0), F(1, 1), F(2, 0), F(3)));
  EXPECT_EQ(walk.stop, STOKER_STOP_COMPLETE);
}

TEST_F(StackWalkTest, FramePointersWhereNothingElseIsKnown) {
  Function({.cfa = STOKER_CFA_FRAME_POINTER});
  Function({.cfa = STOKER_CFA_NONE});
  Function(kEnd);
  registers_.ip = kJit + 5;
  registers_.value[STOKER_REGISTER_BP] = kStack + 0x20;
  Word(0x20, kStack + 0x40);
  Word(0x28, F(0));
  Word(0x40, kStack + 0x60);
  Word(0x48, F(1));
  Word(0x60, kStack + 0x80);
  Word(0x68, F(2));
  StackWalk walk = Walk();
  EXPECT_THAT(walk.frames, ElementsAre(kJit + 5, F(0), F(1), F(2)));
  EXPECT_EQ(walk.stop, STOKER_STOP_COMPLETE);
  // A return address that is no code: the word was no frame pointer.
  Word(0x68, kStack);
  EXPECT_EQ(Walk().stop, STOKER_STOP_NO_RULE);
  Word(0x48, kStack);
  walk = Walk();
  EXPECT_THAT(walk.frames, ElementsAre(kJit + 5, F(0)));
  EXPECT_EQ(walk.stop, STOKER_STOP_FRAME_POINTERS_END);
  Word(0x20, 0);
  EXPECT_EQ(Walk().stop, STOKER_STOP_COMPLETE);
}

TEST_F(StackWalkTest, FramePointersLeadToAnotherStackByConventionOnly) {
  // The chain goes below the stack pointer, as from Go's system stack to a goroutine's.
  Function({.cfa = STOKER_CFA_FRAME_POINTER});
  Function(kEnd);
  registers_.value[STOKER_REGISTER_SP] = kStack + 0x800;
  registers_.value[STOKER_REGISTER_BP] = kStack + 0x100;
  Word(0x100, kStack + 0x200);
  Word(0x108, F(1));
  EXPECT_THAT(Walk().frames, ElementsAre(F(0), F(1)));
  EXPECT_EQ(Walk().stop, STOKER_STOP_COMPLETE);
  // Not when the chain turns back.
  Word(0x100, kStack + 0x80);
  EXPECT_EQ(Walk().stop, STOKER_STOP_FRAME_POINTERS_END);
  // Nor where nothing says that there is one.
  Word(0x100, kStack + 0x200);
  rules_[0] = {};
  EXPECT_EQ(Walk().stop, STOKER_STOP_NO_RULE);
}

TEST_F(StackWalkTest, EachEndSaysWhy) {
  Function(Sp(8));
  Word(0, kJit - 1);
  EXPECT_EQ(Walk().stop, STOKER_STOP_NO_MAPPING);
  EXPECT_EQ(Walk().last_address, kJit - 2);
  Word(0, kJit + 0x8000 + 1);
  EXPECT_EQ(Walk().stop, STOKER_STOP_TABLE_ABSENT);
  Word(0, 0);
  EXPECT_EQ(Walk().stop, STOKER_STOP_COMPLETE);
  rules_[0] = Sp(8192);
  EXPECT_EQ(Walk().stop, STOKER_STOP_READ_FAILED);
  rules_[0] = Sp(-8);
  EXPECT_EQ(Walk().stop, STOKER_STOP_NO_PROGRESS);
  rules_[0] = {};
  EXPECT_EQ(Walk().stop, STOKER_STOP_NO_RULE);
  page_absent_ = true;
  EXPECT_EQ(Walk().stop, STOKER_STOP_PAGE_ABSENT);
  EXPECT_EQ(Walk().last_address, F(0));
}

TEST_F(StackWalkTest, DeepStacksAreCutAtTheLimit) {
  Function(Sp(8));
  stack_.resize(65536);
  for (std::uint64_t at = 0; at < stack_.size(); at += 8) Word(at, F(0));
  const StackWalk walk = Walk();
  EXPECT_EQ(walk.frames.size(), std::size_t{STOKER_MAX_USER_FRAMES});
  EXPECT_EQ(walk.stop, STOKER_STOP_FRAME_LIMIT);
}

TEST_F(StackWalkTest, ARowHoldsUpToThreeRules) {
  Function(kEnd);
  Publish();
  auto* entry = reinterpret_cast<stoker_unwind_entry*>(memory_.Chunk(0) + 32 * 16) + 1;
  *entry = {.rule = {10, 11, 12}, .after = {4, 6}};
  memory_.Rules()[10] = Sp(8);
  memory_.Rules()[11] = Sp(16);
  memory_.Rules()[12] = Sp(24);
  for (const std::uint64_t at : {0, 8, 16}) Word(at, kStack + at);
  const auto caller = [&](std::uint64_t low) {
    registers_.ip = F(0, low);
    return WalkStack(memory_, process_, registers_, {.address = kStack, .bytes = stack_}).frames[1];
  };
  EXPECT_EQ(caller(0), kStack);
  EXPECT_EQ(caller(3), kStack);
  EXPECT_EQ(caller(4), kStack + 8);
  EXPECT_EQ(caller(5), kStack + 8);
  EXPECT_EQ(caller(6), kStack + 16);
  EXPECT_EQ(caller(0xff), kStack + 16);
}

TEST_F(StackWalkTest, AnyBytesAreWalkedWithinBounds) {
  for (int kind = 0; kind < 256; ++kind) {
    rules_.assign(1, {.cfa = static_cast<__u8>(kind),
                      .bp = static_cast<__u8>(kind * 3),
                      .ra = static_cast<__u8>(kind % 3),
                      .registers = static_cast<__u8>(kind),
                      .cfa_offset = kind % 64});
    for (std::uint64_t at = 0; at < 4096; at += 8) Word(at, at * 0x9e3779b97f4a7c15 >> (kind % 40));
    EXPECT_LE(Walk().frames.size(), std::size_t{STOKER_MAX_USER_FRAMES});
  }
}

}  // namespace
}  // namespace stoker::ebpf::walker
