#include "services/discovery/process_targets.h"

#include <gtest/gtest.h>

namespace stoker::discovery {
namespace {

using model::Labels;

const std::string kContainer = "9a7c72f122922fe3445ba85ce72c507c8976c0f3d919403fda7c22dfe516f66f";

std::shared_ptr<HostProcess> MakeProcess(int pid) {
  auto process = std::make_shared<HostProcess>();
  process->process = {.key = {pid, 4711},
                      .exe = "/usr/bin/java",
                      .cwd = "/srv",
                      .commandline = "java -jar app.jar",
                      .cgroup = "0::/docker/" + kContainer,
                      .container_id = kContainer,
                      .uid = 1000};
  process->username = "app";
  return process;
}

model::TargetPtr Join(std::string id, Labels labels) {
  return std::make_shared<const model::Target>(model::Target{std::move(id), std::move(labels), 0});
}

// Every label, with the seeds' defaults and cgroup_path.
TEST(ProcessTargetsTest, Labels) {
  const auto process = MakeProcess(42);
  const Labels all{
      {"__process_pid__", "42"},          {"__meta_process_exe", "/usr/bin/java"},
      {"__meta_process_cwd", "/srv"},     {"__meta_process_commandline", "java -jar app.jar"},
      {"__meta_process_username", "app"}, {"__meta_process_uid", "1000"},
      {"__container_id__", kContainer}};
  EXPECT_EQ(ProcessLabels(*process, {}), all);
  Labels with_cgroup = all;
  with_cgroup.Set("__meta_process_cgroup_path", process->process.cgroup);
  with_cgroup.Set("__meta_cgroup_path", process->process.cgroup);
  EXPECT_EQ(ProcessLabels(*process, {.cgroup_path = true}), with_cgroup);
  EXPECT_EQ(ProcessLabels(*process, {.exe = false,
                                     .cwd = false,
                                     .commandline = false,
                                     .container_id = false,
                                     .username = false,
                                     .uid = false}),
            (Labels{{"__process_pid__", "42"}}));
}

// A process of which something wanted cannot be read is left out; what is not wanted does not
// matter, and neither does a missing uid.
TEST(ProcessTargetsTest, LeavesOutUnreadableProcesses) {
  const auto process = MakeProcess(2);
  process->process.exe = "";
  process->process.missing = procfs::kExe | procfs::kUid;
  EXPECT_EQ(ProcessLabels(*process, {}), std::nullopt);
  const auto labels = ProcessLabels(*process, {.exe = false});
  ASSERT_TRUE(labels.has_value());
  EXPECT_FALSE(labels->Has("__meta_process_uid"));

  ProcessTargets targets({});
  EXPECT_TRUE(targets.Make({process}, {}).empty());
  EXPECT_EQ(targets.skipped(), 1u);
}

// The id and the start time tell a process from a later one of the same pid; an unchanged process
// keeps its target.
TEST(ProcessTargetsTest, Identity) {
  ProcessTargets targets({});
  const auto process = MakeProcess(42);
  const auto first = targets.Make({process}, {});
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(first[0]->id, "process/42/4711");
  EXPECT_EQ(first[0]->process_start_ticks, 4711u);
  const auto second = targets.Make({MakeProcess(7), process}, {});
  ASSERT_EQ(second.size(), 2u);
  EXPECT_EQ(second[1], first[0]);
}

// Targets without a container go through; a process gets its container's labels, which win; the
// containers follow, the last of each.
TEST(ProcessTargetsTest, Join) {
  ProcessTargets targets({.commandline = false, .username = false, .uid = false});
  const auto outside = MakeProcess(1);
  outside->process.container_id = "";
  const auto plain = Join("plain", {{"a", "b"}});
  const auto old = Join("old", {{"__container_id__", kContainer}, {"pod", "old"}});
  const auto pod =
      Join("pod", {{"__meta_kubernetes_pod_container_id", "containerd://" + kContainer},
                   {"__meta_process_cwd", "/won"},
                   {"pod", "p"}});
  const auto other = Join("other", {{"__meta_docker_container_id", "beef"}});
  const auto list = targets.Make({outside, MakeProcess(2)}, {plain, old, pod, other});
  ASSERT_EQ(list.size(), 5u);
  EXPECT_EQ(list[0], plain);
  EXPECT_EQ(list[1]->id, "process/1/4711");
  EXPECT_FALSE(list[1]->labels.Has("pod"));
  EXPECT_EQ(list[2]->labels,
            (Labels{{"__process_pid__", "2"},
                    {"__meta_process_exe", "/usr/bin/java"},
                    {"__meta_process_cwd", "/won"},
                    {"__container_id__", kContainer},
                    {"__meta_kubernetes_pod_container_id", "containerd://" + kContainer},
                    {"pod", "p"}}));
  EXPECT_EQ(list[2]->process_start_ticks, 4711u);
  EXPECT_EQ(list[3], pod);
  EXPECT_EQ(list[4], other);
}

// A container that comes, changes or goes changes the targets of its processes.
TEST(ProcessTargetsTest, JoinFollowsTheContainer) {
  ProcessTargets targets({});
  const auto process = MakeProcess(2);
  const auto pod = Join("pod", {{"__container_id__", kContainer}, {"pod", "p"}});
  EXPECT_FALSE(targets.Make({process}, {})[0]->labels.Has("pod"));
  const auto joined = targets.Make({process}, {pod})[0];
  EXPECT_EQ(joined->labels.Get("pod"), "p");
  EXPECT_EQ(targets.Make({process}, {pod})[0], joined);
  EXPECT_FALSE(targets.Make({process}, {})[0]->labels.Has("pod"));
}

}  // namespace
}  // namespace stoker::discovery
