#include "services/discovery/target_stream.h"

#include <gtest/gtest.h>

namespace stoker::discovery {
namespace {

using Ids = std::vector<model::Text>;

model::TargetPtr MakeTarget(std::string id, std::string value = "x") {
  return std::make_shared<const model::Target>(
      model::Target{std::move(id), {{"label", std::move(value)}}, 0});
}

class TargetStreamTest : public ::testing::Test {
 protected:
  void Offer(model::TargetVector targets, bool ready = true) {
    stream_.Offer({.targets = std::make_shared<const model::TargetVector>(std::move(targets)),
                   .ready = ready,
                   .version = ++version_});
  }
  static Ids Upserts(const TargetChange& change) {
    Ids ids;
    for (const auto& [id, target] : change.upsert) ids.emplace_back(id);
    return ids;
  }

  TargetStream stream_;
  std::uint64_t version_ = 0;
};

// The whole list first, then what changed; nothing where nothing did.
TEST_F(TargetStreamTest, TellsDifferences) {
  EXPECT_EQ(stream_.NextAt(), std::nullopt);
  Offer({MakeTarget("1"), MakeTarget("2")});
  const auto first = stream_.Take(absl::Seconds(1));
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(Upserts(*first), (Ids{"1", "2"}));
  EXPECT_TRUE(first->synced);
  Offer({MakeTarget("2", "y"), MakeTarget("3")});
  const auto second = stream_.Take(absl::Seconds(2));
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(Upserts(*second), (Ids{"2", "3"}));
  EXPECT_EQ(second->remove, (Ids{"1"}));
  EXPECT_TRUE(second->synced);
  Offer({MakeTarget("2", "y"), MakeTarget("3")});
  EXPECT_EQ(stream_.Take(absl::Seconds(3)), std::nullopt);
  EXPECT_EQ(stream_.told(), 2u);
}

// At most five changes a second; what lies between is skipped.
TEST_F(TargetStreamTest, LimitsTheRate) {
  Offer({MakeTarget("1")});
  EXPECT_TRUE(stream_.Take(absl::Seconds(1)).has_value());
  Offer({MakeTarget("1"), MakeTarget("2")});
  EXPECT_EQ(stream_.NextAt(), absl::Milliseconds(1200));
  Offer({MakeTarget("3")});
  const auto change = stream_.Take(absl::Milliseconds(1200));
  ASSERT_TRUE(change.has_value());
  EXPECT_EQ(Upserts(*change), (Ids{"3"}));
  EXPECT_EQ(change->remove, (Ids{"1"}));
}

// Before every source has spoken nothing is taken away, and synced waits.
TEST_F(TargetStreamTest, NothingVanishesBeforeSync) {
  Offer({MakeTarget("1")}, false);
  EXPECT_FALSE(stream_.Take(absl::Seconds(1))->synced);
  Offer({MakeTarget("2")}, false);
  const auto second = stream_.Take(absl::Seconds(2));
  EXPECT_EQ(Upserts(*second), (Ids{"2"}));
  EXPECT_TRUE(second->remove.empty());
  Offer({MakeTarget("2")}, true);
  const auto third = stream_.Take(absl::Seconds(3));
  EXPECT_EQ(third->remove, (Ids{"1"}));
  EXPECT_TRUE(third->synced);
}

// An empty list that is complete is worth a message, once.
TEST_F(TargetStreamTest, EmptyList) {
  Offer({}, false);
  EXPECT_EQ(stream_.Take(absl::Seconds(1)), std::nullopt);
  Offer({}, true);
  EXPECT_TRUE(stream_.Take(absl::Seconds(2))->synced);
  EXPECT_EQ(stream_.NextAt(), std::nullopt);
}

// Equal ids of one list are told apart, the same way each time.
TEST_F(TargetStreamTest, RepeatedIds) {
  Offer({MakeTarget("1", "a"), MakeTarget("1", "b"), MakeTarget("1", "c")});
  EXPECT_EQ(Upserts(*stream_.Take(absl::Seconds(1))), (Ids{"1", "1#2", "1#3"}));
  Offer({MakeTarget("1", "a"), MakeTarget("1", "b")});
  const auto change = stream_.Take(absl::Seconds(2));
  EXPECT_TRUE(change->upsert.empty());
  EXPECT_EQ(change->remove, (Ids{"1#3"}));
}

// A list whose places change little is told by its differences as any other: what moved is not told
// again, and an id that comes to be there twice is told apart.
TEST_F(TargetStreamTest, FollowsPlaces) {
  const model::TargetVector all = {MakeTarget("1"), MakeTarget("2"), MakeTarget("3"),
                                   MakeTarget("4")};
  Offer(all);
  EXPECT_TRUE(stream_.Take(absl::Seconds(1)).has_value());
  Offer({all[0], all[3], all[2]});
  const auto moved = stream_.Take(absl::Seconds(2));
  EXPECT_TRUE(moved->upsert.empty());
  EXPECT_EQ(moved->remove, (Ids{"2"}));
  EXPECT_TRUE(moved->synced);
  Offer({all[0], all[3], MakeTarget("3", "y"), MakeTarget("5")});
  EXPECT_EQ(Upserts(*stream_.Take(absl::Seconds(3))), (Ids{"3", "5"}));
  Offer({all[0], all[3], MakeTarget("1", "y"), MakeTarget("5")});
  const auto repeated = stream_.Take(absl::Seconds(4));
  EXPECT_EQ(Upserts(*repeated), (Ids{"1#2"}));
  EXPECT_EQ(repeated->remove, (Ids{"3"}));
  Offer({all[0], MakeTarget("5")});
  EXPECT_EQ(stream_.Take(absl::Seconds(5))->remove.size(), 2u);
  EXPECT_EQ(stream_.told(), 2u);
}

// A long list goes in parts that follow each other at once; only the last says synced.
TEST_F(TargetStreamTest, SplitsLongLists) {
  model::TargetVector targets;
  for (int i = 0; i < 30; ++i) {
    targets.push_back(MakeTarget(std::to_string(i), std::string(100'000, 'x')));
  }
  Offer(targets);
  std::size_t told = 0;
  int parts = 0;
  bool synced = false;
  while (const auto part = stream_.Take(absl::Seconds(1))) {
    EXPECT_LE(part->upsert.size(), 10u);
    EXPECT_FALSE(synced);
    synced = part->synced;
    told += part->upsert.size();
    ++parts;
  }
  EXPECT_EQ(told, 30u);
  EXPECT_EQ(parts, 3);
  EXPECT_TRUE(synced);
}

}  // namespace
}  // namespace stoker::discovery
