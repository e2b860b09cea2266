// Proves that no sample is lost uncounted between the kernel's records and the store, whichever
// part is away, dies or is replaced on the way. Every second of every test also checks the audit
// of each core.
#include <gtest/gtest.h>

#include "tests/pipeline/pipeline.h"

namespace stoker::pipeline {
namespace {

// The default collect_interval.
constexpr int kInterval = 15;
// Enough for symbols that nobody serves, the longest backoff, and all that waits.
constexpr int kSettle = 600;

// All is delivered: `seconds` of samples are in the store, but for those of no target.
void ExpectAllDelivered(Pipeline& pipeline, std::uint64_t seconds) {
  EXPECT_EQ(pipeline.far_end().samples().at("shop"), 3 * seconds);
  EXPECT_EQ(pipeline.far_end().samples().at("bank"), 2 * seconds);
  EXPECT_EQ(pipeline.far_end().TotalSamples(), 5 * seconds);
  const auto collector = pipeline.collector();
  EXPECT_EQ(collector.in, 6 * seconds);
  EXPECT_EQ(collector.out, 5 * seconds);
  EXPECT_EQ(collector.dropped.at("no_target"), seconds);
  EXPECT_EQ(collector.InFlight(), 0);
  EXPECT_EQ(pipeline.symbolizer().InFlight(), 0);
  EXPECT_EQ(pipeline.Forwarder("in_flight"), 0);
}

// What the collector took and did not drop is what the store has; each core agrees.
TEST(ConservationTest, NothingHappens) {
  Pipeline pipeline;
  pipeline.RunBusy(4 * kInterval);
  pipeline.RunIdle(kSettle);
  ExpectAllDelivered(pipeline, 4 * kInterval);
  EXPECT_EQ(pipeline.symbolizer().in, pipeline.collector().out);
  EXPECT_EQ(pipeline.symbolizer().out, pipeline.Forwarder("in"));
  EXPECT_EQ(pipeline.Forwarder("out"), pipeline.far_end().TotalSamples());
  EXPECT_EQ(pipeline.far_end().replays(), 0);
}

// While the store is away its samples are in flight at the forwarder; then they arrive.
TEST(ConservationTest, TheStoreIsAway) {
  Pipeline pipeline;
  pipeline.far_end().mood = FarEnd::Mood::kUnavailable;
  pipeline.RunBusy(10 * kInterval);
  pipeline.RunIdle(2 * kInterval);
  EXPECT_EQ(pipeline.far_end().TotalSamples(), 0);
  EXPECT_EQ(pipeline.Forwarder("in_flight"), 5 * 10 * kInterval);
  pipeline.far_end().mood = FarEnd::Mood::kTakes;
  pipeline.RunIdle(kSettle);
  ExpectAllDelivered(pipeline, 10 * kInterval);
}

// A forwarder that loses power, with the store away, has all that it had accepted.
TEST(ConservationTest, TheForwarderCrashes) {
  Pipeline pipeline;
  pipeline.far_end().mood = FarEnd::Mood::kUnavailable;
  for (int crash = 0; crash < 5; ++crash) {
    pipeline.RunBusy(2 * kInterval);
    pipeline.CrashForwarder();
  }
  pipeline.far_end().mood = FarEnd::Mood::kTakes;
  pipeline.RunIdle(kSettle);
  ExpectAllDelivered(pipeline, 10 * kInterval);
}

// What a crashed forwarder had sent without an answer it sends again; the store takes it once.
TEST(ConservationTest, TheForwarderSendsAgain) {
  Pipeline pipeline;
  pipeline.far_end().mood = FarEnd::Mood::kSilent;
  pipeline.RunBusy(2 * kInterval);
  pipeline.RunIdle(kInterval);
  ASSERT_GT(pipeline.far_end().TotalSamples(), 0);
  pipeline.CrashForwarder();
  pipeline.far_end().mood = FarEnd::Mood::kTakes;
  pipeline.RunIdle(kSettle);
  EXPECT_GT(pipeline.far_end().replays(), 0);
  ExpectAllDelivered(pipeline, 2 * kInterval);
}

// A forwarder that dies before its answers arrive is asked again, and counts nothing twice.
TEST(ConservationTest, AnswersAreLost) {
  Pipeline pipeline;
  pipeline.lose_answers = true;
  pipeline.RunBusy(2 * kInterval);
  pipeline.RunIdle(kInterval);
  EXPECT_EQ(pipeline.collector().out, 0);
  pipeline.lose_answers = false;
  pipeline.CrashForwarder();
  pipeline.RunIdle(kSettle);
  ExpectAllDelivered(pipeline, 2 * kInterval);
}

// The collector keeps what a symbolizer did not acknowledge, and sends it to the next one.
TEST(ConservationTest, TheSymbolizerIsReplaced) {
  Pipeline pipeline;
  pipeline.RunBusy(kInterval);
  ASSERT_GT(pipeline.symbolizer().InFlight(), 0) << "it waits for symbols";
  pipeline.ReplaceSymbolizer();
  pipeline.RunBusy(2 * kInterval);
  pipeline.lose_answers = true;
  pipeline.RunBusy(2 * kInterval);
  ASSERT_GT(pipeline.collector().InFlight(), 0) << "the forwarder has them, nobody was told";
  pipeline.ReplaceSymbolizer();
  pipeline.lose_answers = false;
  pipeline.RunIdle(kSettle);
  ExpectAllDelivered(pipeline, 5 * kInterval);
}

// Samples for a receiver that does not exist are dropped under that reason, to the last one.
TEST(ConservationTest, TheReceiverIsUnknown) {
  Pipeline pipeline("pyroscope.write.nobody");
  pipeline.RunBusy(2 * kInterval);
  pipeline.RunIdle(kSettle);
  const std::uint64_t sent = 5 * 2 * kInterval;
  EXPECT_EQ(pipeline.far_end().TotalSamples(), 0);
  EXPECT_EQ(pipeline.Forwarder("in"), 0);
  EXPECT_EQ(pipeline.symbolizer().in, sent);
  EXPECT_EQ(pipeline.symbolizer().dropped.at("unknown_receiver"), sent);
  EXPECT_EQ(pipeline.collector().InFlight(), 0);
}

}  // namespace
}  // namespace stoker::pipeline
