// Proves that a process finds its target by pid and start, else by container, that the last of
// equal targets wins, and which labels stay.
#include "services/collector/ebpf/target_matcher.h"

#include <gtest/gtest.h>

namespace stoker::ebpf {
namespace {

const std::string kContainer(64, 'a');

model::TargetPtr Target(const std::string& id, model::Labels labels, std::uint64_t start = 0) {
  return std::make_shared<const model::Target>(
      model::Target{.id = id, .labels = std::move(labels), .process_start_ticks = start});
}

TEST(TargetMatcher, PidComesBeforeContainer) {
  const TargetMatcher matcher(
      {Target("c", {{"__container_id__", kContainer}}), Target("p", {{"__process_pid__", "7"}})},
      true);
  EXPECT_EQ(matcher.Match({7, 1}, kContainer)->id, "p");
  EXPECT_EQ(matcher.Match({8, 1}, kContainer)->id, "c");
  EXPECT_EQ(matcher.Match({8, 1}, ""), nullptr);
}

TEST(TargetMatcher, ReusedPidIsToldApartByItsStart) {
  const TargetMatcher matcher({Target("old", {{"__process_pid__", "7"}}, 100),
                               Target("new", {{"__process_pid__", "7"}}, 200)},
                              true);
  EXPECT_EQ(matcher.Match({7, 100}, "")->id, "old");
  EXPECT_EQ(matcher.Match({7, 200}, "")->id, "new");
  EXPECT_EQ(matcher.Match({7, 300}, ""), nullptr);
}

TEST(TargetMatcher, LastOfEqualTargetsWins) {
  const TargetMatcher matcher(
      {Target("a", {{"__process_pid__", "7"}}), Target("b", {{"__process_pid__", "7"}})}, true);
  EXPECT_EQ(matcher.Match({7, 1}, "")->id, "b");
}

TEST(TargetMatcher, ContainerIdOfKubernetesLosesItsRuntime) {
  const model::TargetVector targets = {
      Target("k", {{"__meta_kubernetes_pod_container_id", "containerd://" + kContainer}})};
  EXPECT_EQ(TargetMatcher(targets, true).Match({1, 1}, kContainer)->id, "k");
}

TEST(TargetMatcher, PassesOverTargetsWithoutAKey) {
  EXPECT_EQ(TargetMatcher({Target("x", {{"a", "b"}}), Target("y", {{"__process_pid__", "0"}}),
                           Target("z", {{"__process_pid__", "7x"}})},
                          true)
                .size(),
            0u);
}

TEST(TargetMatcher, KeepsPublicLabelsAndTheKey) {
  const TargetMatcher matcher(
      {Target("p", {{"__process_pid__", "7"}, {"__meta_x", "y"}, {"team", "core"}})}, true);
  const model::Labels expected = {
      {"__process_pid__", "7"}, {"service_name", "unspecified"}, {"team", "core"}};
  EXPECT_EQ(matcher.Match({7, 1}, "")->labels, expected);
}

TEST(TargetMatcher, OthersHaveADefaultOnlyWhenAsked) {
  const TargetMatcher matcher({}, false);
  EXPECT_EQ(matcher.Match({7, 1}, "")->labels.Get("service_name"), "ebpf/unspecified");
}

}  // namespace
}  // namespace stoker::ebpf
