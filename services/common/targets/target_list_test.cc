#include "services/common/targets/target_list.h"

#include <gtest/gtest.h>

namespace stoker::targets {
namespace {

using Ids = std::vector<std::string>;

model::Target Process(const std::string& id, const std::string& value = "x") {
  return {id, {{"__process_pid__", id}, {"label", value}}, 100};
}

Ids IdsOf(const TargetList& list) {
  Ids ids;
  for (const model::TargetPtr& target : list.Targets()) ids.emplace_back(target->id);
  return ids;
}

constexpr absl::Duration kLinger = absl::Seconds(75);

// Upserts add and replace, removals end after the linger, before any sync.
TEST(TargetListTest, AppliesChanges) {
  TargetList list(kLinger);
  list.BeginStream();
  list.Apply({.upsert = {Process("1"), Process("2")}}, absl::Seconds(0));
  EXPECT_FALSE(list.synced());
  list.Apply({.upsert = {Process("2", "y")}, .remove = {"1", "none"}, .synced = true},
             absl::Seconds(1));
  EXPECT_TRUE(list.synced());
  EXPECT_EQ(IdsOf(list), (Ids{"1", "2"}));
  EXPECT_EQ(list.Targets()[1]->labels.Get("label"), "y");
  EXPECT_FALSE(list.Expire(absl::Seconds(75)));
  EXPECT_TRUE(list.Expire(absl::Seconds(76)));
  EXPECT_EQ(IdsOf(list), (Ids{"2"}));
}

// An equal upsert keeps the very target, so that a consumer sees at once what did not change.
TEST(TargetListTest, EqualTargetsStay) {
  TargetList list(kLinger);
  list.BeginStream();
  list.Apply({.upsert = {Process("1")}}, absl::Seconds(0));
  const model::TargetPtr before = list.Targets()[0];
  list.Apply({.upsert = {Process("1")}}, absl::Seconds(1));
  EXPECT_EQ(list.Targets()[0], before);
}

// The list outlives its stream; a new stream adds at once and takes away once it is synced.
TEST(TargetListTest, OldListStaysUntilTheNewStreamIsSynced) {
  TargetList list(kLinger);
  list.BeginStream();
  list.Apply({.upsert = {Process("1"), Process("2")}, .synced = true}, absl::Seconds(0));
  list.BeginStream();
  EXPECT_EQ(IdsOf(list), (Ids{"1", "2"}));
  list.Apply({.upsert = {Process("2"), Process("3")}}, absl::Seconds(500));
  EXPECT_FALSE(list.Expire(absl::Seconds(500)));
  EXPECT_EQ(IdsOf(list), (Ids{"1", "2", "3"}));
  list.Apply({.synced = true}, absl::Seconds(600));
  EXPECT_TRUE(list.Expire(absl::Seconds(675)));
  EXPECT_EQ(IdsOf(list), (Ids{"2", "3"}));
}

// `synced` of a stream counts once: what came later is not forgotten by its repetition.
TEST(TargetListTest, SyncedStaysTrue) {
  TargetList list(absl::ZeroDuration());
  list.BeginStream();
  list.Apply({.upsert = {Process("1")}, .synced = true}, absl::Seconds(0));
  list.Apply({.upsert = {Process("2")}, .synced = true}, absl::Seconds(1));
  EXPECT_EQ(IdsOf(list), (Ids{"1", "2"}));
}

// A target that comes back while it lingers stays, also past the end of its first removal; removed
// again it lingers anew.
TEST(TargetListTest, ComesBackWhileLingering) {
  TargetList list(kLinger);
  list.BeginStream();
  list.Apply({.upsert = {Process("1")}, .synced = true}, absl::Seconds(0));
  list.Apply({.remove = {"1"}}, absl::Seconds(10));
  list.Apply({.upsert = {Process("1")}}, absl::Seconds(20));
  EXPECT_FALSE(list.Expire(absl::Seconds(200)));
  list.Apply({.remove = {"1"}}, absl::Seconds(200));
  EXPECT_FALSE(list.Expire(absl::Seconds(274)));
  EXPECT_TRUE(list.Expire(absl::Seconds(275)));
}

// What lingers comes before what is there; without a linger it goes at once.
TEST(TargetListTest, LingeringComeFirst) {
  TargetList list(kLinger);
  list.BeginStream();
  list.Apply({.upsert = {Process("1"), Process("2")}}, absl::Seconds(0));
  list.Apply({.remove = {"2"}}, absl::Seconds(0));
  EXPECT_EQ(IdsOf(list), (Ids{"2", "1"}));
  TargetList addresses(absl::ZeroDuration());
  addresses.Apply({.upsert = {Process("1")}}, absl::Seconds(0));
  addresses.Apply({.remove = {"1"}}, absl::Seconds(0));
  EXPECT_EQ(addresses.size(), 0u);
}

// Processes that come and go fast take a bounded memory: the oldest that lingers goes early.
TEST(TargetListTest, BoundsWhatLingers) {
  TargetList list(kLinger);
  list.BeginStream();
  for (int i = 0; i < 70'000; ++i) {
    const std::string id = std::to_string(i);
    list.Apply({.upsert = {Process(id)}}, absl::Seconds(0));
    list.Apply({.remove = {id}}, absl::Seconds(0));
  }
  EXPECT_EQ(list.size(), 1u << 16);
  EXPECT_EQ(list.refused(), 0u);
}

}  // namespace
}  // namespace stoker::targets
