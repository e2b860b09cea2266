// Proves that a process' stack is unwound once its tables are there, through mappings and pages
// that come when they are needed; that large and full tables are served; and that what waits is
// handed over in time.
#include "services/collector/ebpf/walker/publisher.h"

#include <cstring>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/collector/ebpf/fake_binary_inspector.h"
#include "services/collector/ebpf/fake_process_source.h"
#include "services/collector/ebpf/walker/deferred_stacks.h"
#include "services/collector/ebpf/walker/fake_table_source.h"
#include "services/collector/ebpf/walker/heap_memory.h"
#include "services/collector/ebpf/walker/stack_walk.h"

namespace stoker::ebpf::walker {
namespace {

using ::testing::ElementsAre;

constexpr std::uint32_t kPid = 7;
constexpr std::uint64_t kStart = 100;
constexpr std::uint64_t kProgram = 0x400000;
constexpr std::uint64_t kLibrary = 0x7f0000000000;
constexpr std::uint64_t kStack = 0x7ffffffde000;

constexpr stoker_unwind_rule kEnd{.cfa = STOKER_CFA_END};
constexpr stoker_unwind_rule kSp8{.cfa = STOKER_CFA_SP, .cfa_offset = 8};

class PublisherTest : public ::testing::Test {
 protected:
  PublisherTest() {
    source_.processes[kPid] = {.start_ticks = kStart,
                               .mappings = {{kProgram, kProgram + 0x100000, 0, 5, "/program"},
                                            {kLibrary, kLibrary + 0x80000, 0, 6, "/library"}}};
    tables_.tables["/program"].Add(0x20000, kEnd);
    tables_.tables["/library"].Add(0x10000, kSp8).Add(0x30000, kSp8);
    // library → library, in another page → program.
    Word(0, kLibrary + 0x30010);
    Word(8, kProgram + 0x20010);
    registers_.ip = kLibrary + 0x10010;
    registers_.value[STOKER_REGISTER_SP] = kStack;
  }

  void Word(std::size_t offset, std::uint64_t value) {
    std::memcpy(stack_.data() + offset, &value, sizeof(value));
  }

  // A sample of the process comes, to be unwound here.
  ProcessPtr Sample() {
    const RawStack raw{.registers = registers_, .address = kStack, .bytes = stack_};
    const RawSample sample{.pid = kPid,
                           .start_ticks = kStart,
                           .stop = STOKER_STOP_PROCESS_ABSENT,
                           .user = std::span(&registers_.ip, 1),
                           .deferred = &raw};
    ProcessPtr process = processes_.Find(sample, now_);
    publisher_.Publish(*process);
    deferred_.Add(97, process, sample, now_);
    return process;
  }

  void Tick(bool all = false) {
    for (const ProcessPtr& process : processes_.Update()) publisher_.Publish(*process);
    publisher_.Update(now_);
    deferred_.Run(now_, all);
    now_ += absl::Milliseconds(5);
  }

  HeapMemory memory_;
  FakeTableSource tables_;
  FakeProcessSource source_;
  FakeBinaryInspector inspector_;
  Publisher publisher_{memory_, tables_};
  ProcessTable processes_{source_, inspector_};
  std::vector<StackWalk> delivered_;
  DeferredStacks deferred_{
      processes_, publisher_,
      [this](const SamplerKind& sampler, const ProcessPtr&, const RawSample& sample) {
        EXPECT_EQ(sampler, SamplerKind(97));
        delivered_.push_back(
            {.frames = {sample.user.begin(), sample.user.end()}, .stop = sample.stop});
      }};
  stoker_registers registers_{};
  std::vector<std::uint8_t> stack_ = std::vector<std::uint8_t>(4096);
  absl::Duration now_ = absl::Seconds(1);
};

TEST_F(PublisherTest, AStackThatCameBeforeItsTablesIsUnwound) {
  const ProcessPtr process = Sample();
  for (int i = 0; i < 10 && delivered_.empty(); ++i) Tick();
  ASSERT_EQ(delivered_.size(), 1u);
  EXPECT_THAT(delivered_[0].frames,
              ElementsAre(kLibrary + 0x10010, kLibrary + 0x30010, kProgram + 0x20010));
  EXPECT_EQ(delivered_[0].stop, STOKER_STOP_COMPLETE);
  EXPECT_EQ(publisher_.counts().pages, 3u);
  EXPECT_EQ(tables_.requests, 2);
  // Equal rules are one; two are always there.
  EXPECT_EQ(publisher_.counts().rules, 4u);
  // The walker can do it alone now.
  const StackWalk walk = WalkStack(memory_, memory_.processes.at(kPid), registers_,
                                   {.address = kStack, .bytes = stack_});
  EXPECT_EQ(walk.frames, delivered_[0].frames);
}

TEST_F(PublisherTest, AStackIsHandedOverWhenItsTablesDoNotCome) {
  tables_.silent = true;
  Sample();
  for (int i = 0; i < 10; ++i) Tick();
  EXPECT_TRUE(delivered_.empty());
  now_ += DeferredStacks::kMaxWait;
  Tick();
  ASSERT_EQ(delivered_.size(), 1u);
  EXPECT_THAT(delivered_[0].frames, ElementsAre(kLibrary + 0x10010));
  EXPECT_EQ(delivered_[0].stop, STOKER_STOP_TABLE_ABSENT);
}

TEST_F(PublisherTest, FilesWithoutATableAreWalkedByFramePointers) {
  tables_.tables.clear();
  registers_.value[STOKER_REGISTER_BP] = kStack + 0x20;
  Word(0x28, kProgram + 0x20010);
  Sample();
  for (int i = 0; i < 10 && delivered_.empty(); ++i) Tick();
  ASSERT_EQ(delivered_.size(), 1u);
  EXPECT_THAT(delivered_[0].frames, ElementsAre(kLibrary + 0x10010, kProgram + 0x20010));
  EXPECT_EQ(delivered_[0].stop, STOKER_STOP_COMPLETE);
}

TEST_F(PublisherTest, AMappingThatIsNewIsFound) {
  const auto mappings = source_.processes[kPid].mappings;
  source_.processes[kPid].mappings.pop_back();
  source_.processes[kPid].mappings.push_back({kLibrary, kLibrary + 0x20000, 0, 6, "/library"});
  Sample();
  Tick();
  source_.processes[kPid].mappings = mappings;
  for (int i = 0; i < 50 && delivered_.empty(); ++i) Tick();
  ASSERT_EQ(delivered_.size(), 1u);
  EXPECT_EQ(delivered_[0].frames.size(), 3u);
  EXPECT_EQ(delivered_[0].stop, STOKER_STOP_COMPLETE);
}

TEST_F(PublisherTest, ManyMappingsAreFound) {
  std::vector<procfs::ExecutableMapping>& mappings = source_.processes[kPid].mappings;
  mappings.clear();
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    mappings.push_back({kProgram + i * 0x2000, kProgram + i * 0x2000 + 0x1000, 0, 0, ""});
  }
  registers_.ip = kProgram + 9'999 * 0x2000;
  registers_.value[STOKER_REGISTER_BP] = kStack + 0x20;
  for (std::uint64_t i = 0; i < 30; ++i) {
    Word(0x20 + i * 16, kStack + 0x30 + i * 16);
    Word(0x28 + i * 16, kProgram + i * 331 * 0x2000 + 1);
  }
  Sample();
  for (int i = 0; i < 10 && delivered_.empty(); ++i) Tick();
  ASSERT_EQ(delivered_.size(), 1u);
  EXPECT_EQ(delivered_[0].frames.size(), 31u);
  EXPECT_EQ(memory_.processes.at(kPid).count[2], 10'000u - 2 * 4096);
}

TEST_F(PublisherTest, AFullMemoryGivesUpWhatWasNotUsedForLongest) {
  // 200 pages of 600 rows each do not fit into 16 chunks.
  HeapMemory small(16);
  Publisher publisher(small, tables_);
  TableBuilder& builder = tables_.tables["/large"];
  for (std::uint64_t page = 0; page < 200; ++page) {
    for (std::uint64_t row = 0; row < 600; ++row) builder.Add(page << 16 | row * 64, kSp8);
  }
  source_.processes[kPid].mappings = {{kProgram, kProgram + (200 << 16), 0, 8, "/large"}};
  const __u64 address = kProgram;
  const ProcessPtr process =
      processes_.Find({.pid = kPid, .start_ticks = kStart, .user = std::span(&address, 1)}, now_);
  publisher.Publish(*process);
  processes_.Update();
  publisher.Publish(*process);
  publisher.Update(now_);
  publisher.Update(now_);
  int fills = 0;
  for (std::uint64_t page = 0; page < 200; ++page) {
    const std::uint64_t at = kProgram + (page << 16);
    while (publisher.FillPage(*process->published, at, now_) != Publisher::Fill::kThere) {
      ASSERT_LT(++fills, 1000);
      now_ += absl::Milliseconds(20);
      publisher.Update(now_);
    }
  }
  EXPECT_GT(publisher.counts().evictions, 50u);
  EXPECT_LE(publisher.used_bytes(), 16u * STOKER_UNWIND_CHUNK_BYTES);
  process->published.reset();
  now_ += absl::Minutes(20);
  publisher.Update(now_);
  publisher.Sweep(now_);
  EXPECT_EQ(publisher.used_bytes(), 0u);
  EXPECT_TRUE(small.processes.empty());
}

TEST_F(PublisherTest, AnImageThatIsOverIsTakenBack) {
  ProcessPtr process = Sample();
  for (int i = 0; i < 10 && delivered_.empty(); ++i) Tick();
  EXPECT_EQ(memory_.processes.size(), 1u);
  processes_.OnExec(kPid);
  EXPECT_TRUE(memory_.processes.empty());
}

}  // namespace
}  // namespace stoker::ebpf::walker
