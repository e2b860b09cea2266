#include "services/collector/ebpf/batch_queue.h"

#include <map>
#include <string>
#include <vector>

#include <absl/time/clock.h>
#include <gtest/gtest.h>

#include "services/common/testing/fake_clock.h"
#include "services/common/testing/mem_env.h"

namespace stoker::ebpf {
namespace {

using sample::v1::Hello;

// A collector's queue over a disk that outlives it.
class BatchQueueTest : public ::testing::Test {
 protected:
  // One life of the component.
  struct Run {
    std::unique_ptr<BatchSpool> spool;
    BatchQueue queue;
  };

  // `pushed`: samples that are counted before the disk is there.
  std::unique_ptr<Run> Start(std::uint64_t run_id, std::uint64_t max_bytes = 1 << 20,
                             std::uint64_t pushed = 0) {
    Hello hello;
    hello.set_component_id("pyroscope.ebpf.host");
    hello.set_run_id(run_id);
    auto spool = BatchSpool::Open(
        {.folder = "/batches", .max_bytes = disk_bytes_, .reserve_bytes = 0}, hello, env_, clock_,
        spool::Metrics(registry_, "batches"),
        {.found = [this](std::uint64_t samples) { found_ += samples; },
         .done = [this](std::uint64_t samples) { done_ += samples; },
         .dropped = [this](std::string_view reason,
                           std::uint64_t samples) { dropped_[std::string(reason)] += samples; }});
    EXPECT_TRUE(spool.ok()) << spool.status();
    std::unique_ptr<Run> run(new Run{
        .spool = *std::move(spool),
        .queue = {
            max_bytes,
            {.acknowledged = [this](std::uint64_t samples) { done_ += samples; },
             .dropped = [this](std::string_view reason,
                               std::uint64_t samples) { dropped_[std::string(reason)] += samples; },
             .delivered = [](const sample::v1::Delivered&) {}}}});
    if (pushed > 0) Push(run->queue, pushed);
    run->queue.SpillTo(*run->spool);
    // As the stream does first of all.
    if (pushed == 0) {
      EXPECT_EQ(run->queue.EarlierRun() == nullptr, found_ == 0);
    }
    return run;
  }

  static void Push(BatchQueue& queue, std::uint64_t samples, std::size_t bytes = 10) {
    Batch batch{.samples = samples};
    batch.message.add_strings(std::string(bytes, 'x'));
    queue.Push(std::move(batch));
  }

  // The number of the next batch of a run, 0 if none comes.
  static std::uint64_t Next(BatchQueue& queue, const Hello* earlier_run = nullptr) {
    const absl::Time deadline = absl::Now() + absl::Seconds(30);
    while (absl::Now() < deadline) {
      const auto batch = queue.Next(absl::Milliseconds(5), earlier_run);
      if (batch) return (*batch)->sequence();
      if (queue.AwaitEmpty(absl::ZeroDuration())) return 0;
    }
    return 0;
  }
  static void Acknowledge(BatchQueue& queue, std::uint64_t sequence,
                          const Hello* earlier_run = nullptr) {
    sample::v1::PushResponse response;
    response.add_acknowledged(sequence);
    queue.Apply(response, earlier_run);
  }
  static std::uint64_t Held(const BatchQueue& queue) {
    std::uint64_t held = 0;
    queue.Audit([&held](std::uint64_t samples) { held = samples; });
    return held;
  }

  testing::MemEnv env_;
  testing::FakeClock clock_;
  metrics::Registry registry_;
  std::uint64_t found_ = 0;
  std::uint64_t disk_bytes_ = 1 << 30;
  std::uint64_t done_ = 0;
  std::map<std::string, std::uint64_t> dropped_;
};

// While the symbolizer is away batches wait on disk; they come back in their order, once, and then
// memory does again.
TEST_F(BatchQueueTest, SpillsAndComesBack) {
  const auto run = Start(1);
  BatchQueue& queue = run->queue;
  Push(queue, 10);
  EXPECT_EQ(Next(queue), 1u);
  Push(queue, 20);
  EXPECT_TRUE(queue.Spill());
  EXPECT_EQ(queue.size(), 0u);
  Push(queue, 30);
  EXPECT_EQ(Held(queue), 60u);
  queue.Rewind();
  for (const std::uint64_t sequence : {1, 2, 3}) EXPECT_EQ(Next(queue), sequence);
  EXPECT_EQ(Held(queue), 60u);
  for (const std::uint64_t sequence : {2, 1, 3}) Acknowledge(queue, sequence);
  EXPECT_EQ(Next(queue), 0u);
  EXPECT_EQ(Held(queue), 0u);
  EXPECT_EQ(done_, 60u);
  const BatchSpool::Puts before = run->spool->puts();
  Push(queue, 5);
  EXPECT_EQ(Next(queue), 4u);
  EXPECT_EQ(run->spool->puts(), before);
}

// What a run left on disk goes first in the next, under the run's own name.
TEST_F(BatchQueueTest, EarlierRun) {
  auto first = Start(1);
  Push(first->queue, 10);
  Push(first->queue, 20);
  EXPECT_EQ(Next(first->queue), 1u);
  first->queue.Spill();
  first.reset();
  const auto second = Start(2);
  BatchQueue& queue = second->queue;
  EXPECT_EQ(found_, 30u);
  Push(queue, 40);
  EXPECT_EQ(Held(queue), 70u);
  const auto earlier = queue.EarlierRun();
  ASSERT_NE(earlier, nullptr);
  EXPECT_EQ(earlier->run_id(), 1u);
  EXPECT_FALSE(queue.Next(absl::ZeroDuration()).has_value());
  EXPECT_EQ(Next(queue, earlier.get()), 1u);
  EXPECT_EQ(Next(queue, earlier.get()), 2u);
  EXPECT_TRUE(queue.IsNext(earlier.get()));
  // A batch of the same number of another run is another.
  Hello other;
  other.set_run_id(99);
  Acknowledge(queue, 1, &other);
  EXPECT_EQ(done_, 0u);
  Acknowledge(queue, 1, earlier.get());
  Acknowledge(queue, 2, earlier.get());
  EXPECT_EQ(done_, 30u);
  EXPECT_FALSE(queue.IsNext(earlier.get()));
  EXPECT_EQ(Next(queue), 1u);
  Acknowledge(queue, 1);
  EXPECT_EQ(Held(queue), 0u);
  EXPECT_TRUE(dropped_.empty());
}

// More than memory may hold goes to disk instead of being lost; a rejected batch is counted.
TEST_F(BatchQueueTest, Overflow) {
  const auto run = Start(1, /*max_bytes=*/1000);
  for (int i = 0; i < 5; ++i) Push(run->queue, 1, 400);
  EXPECT_EQ(run->queue.size(), 2u);
  EXPECT_EQ(Held(run->queue), 5u);
  for (std::uint64_t sequence = 1; sequence <= 5; ++sequence) {
    EXPECT_EQ(Next(run->queue), sequence);
    if (sequence < 5) Acknowledge(run->queue, sequence);
  }
  sample::v1::PushResponse response;
  sample::v1::Rejected& rejected = *response.add_rejected();
  rejected.set_sequence(5);
  rejected.set_reason("invalid");
  run->queue.Apply(response);
  EXPECT_EQ(done_, 4u);
  EXPECT_EQ(dropped_, (std::map<std::string, std::uint64_t>{{"invalid", 1}}));
  EXPECT_EQ(Held(run->queue), 0u);
}

// What was pushed before the disk could be opened comes after what earlier runs left there.
TEST_F(BatchQueueTest, DiskOpensLate) {
  auto first = Start(1);
  first->queue.Spill();
  Push(first->queue, 2);
  first.reset();
  const auto second = Start(2, 1 << 20, 3);
  BatchQueue& queue = second->queue;
  EXPECT_EQ(queue.size(), 0u);
  const auto earlier = queue.EarlierRun();
  ASSERT_NE(earlier, nullptr);
  EXPECT_EQ(earlier->run_id(), 1u);
  EXPECT_EQ(Next(queue, earlier.get()), 1u);
  EXPECT_EQ(Held(queue), 5u);
  Acknowledge(queue, 1, earlier.get());
  EXPECT_EQ(Next(queue), 1u);
  Acknowledge(queue, 1);
  EXPECT_EQ(Held(queue), 0u);
  EXPECT_EQ(done_, 5u);
}

// What the disk drops is settled: the symbolizer that has never seen it does not miss it. Of what
// earlier runs left nothing is said.
TEST_F(BatchQueueTest, DroppedByTheDisk) {
  disk_bytes_ = 64 << 10;
  auto first = Start(1);
  first->queue.Spill();
  for (int i = 0; i < 10; ++i) Push(first->queue, 1, 4 << 10);
  first.reset();
  EXPECT_EQ(found_, 0u);
  const auto second = Start(2);
  second->queue.Spill();
  EXPECT_EQ(found_, 10u);
  EXPECT_EQ(second->queue.Rewind(), 0u);
  for (int i = 0; i < 40; ++i) Push(second->queue, 1, 4 << 10);
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  const auto kept = [&] {
    return second->spool->puts().under_way == 0 && second->spool->bytes() <= disk_bytes_;
  };
  while (!kept() && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(1));
  const std::uint64_t held = Held(second->queue);
  EXPECT_LT(held, 20u);
  EXPECT_EQ(second->queue.Rewind(), 40 - held);
  // No other thread drops any more.
  second->spool.reset();
  EXPECT_EQ(dropped_["spool_full"], 50 - held);
}

// Without a spool the oldest batches go, and are counted.
TEST_F(BatchQueueTest, WithoutSpool) {
  std::uint64_t full = 0;
  BatchQueue queue(1000, {.acknowledged = {},
                          .dropped =
                              [&full](std::string_view reason, std::uint64_t samples) {
                                EXPECT_EQ(reason, "queue_full");
                                full += samples;
                              },
                          .delivered = {}});
  for (int i = 0; i < 5; ++i) Push(queue, 1, 400);
  EXPECT_EQ(full, 3u);
  EXPECT_FALSE(queue.Spill());
  EXPECT_EQ(Next(queue), 4u);
}

}  // namespace
}  // namespace stoker::ebpf
