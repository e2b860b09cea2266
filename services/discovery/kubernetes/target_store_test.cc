#include "services/discovery/kubernetes/target_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stoker::discovery::kubernetes {
namespace {

using ::testing::UnorderedElementsAre;

Pod MakePod(const std::string& name, std::vector<std::int64_t> ports, const std::string& ip = "1") {
  Pod pod;
  pod.meta.namespace_name = "d";
  pod.meta.name = name;
  pod.ip = ip;
  pod.node_name = "n";
  pod.containers.push_back({.name = "c", .image = {}, .id = {}, .ports = {}});
  for (const std::int64_t port : ports) pod.containers[0].ports.push_back({"", port, "TCP"});
  return pod;
}

std::vector<std::string> Ids(const TargetStore& store) {
  std::vector<std::string> ids;
  for (const model::TargetPtr& target : store.targets()) ids.emplace_back(target->id);
  return ids;
}

// Only what changes is made anew; what stays keeps its pointer, what goes leaves no trace.
TEST(TargetStoreTest, Changes) {
  TargetStore store(Role::kPod, {});
  store.Put(0, MakePod("a", {1, 2, 3}));
  store.Put(0, MakePod("b", {}));
  EXPECT_THAT(Ids(store),
              UnorderedElementsAre("d/a/c/1/TCP", "d/a/c/2/TCP", "d/a/c/3/TCP", "d/b/c"));
  const model::TargetVector before = store.targets();
  const std::uint64_t version = store.version();
  store.Put(0, MakePod("a", {1, 2, 3}));
  EXPECT_EQ(store.targets(), before);
  EXPECT_EQ(store.version(), version);
  store.Put(0, MakePod("a", {3, 4}));
  EXPECT_THAT(Ids(store), UnorderedElementsAre("d/a/c/3/TCP", "d/a/c/4/TCP", "d/b/c"));
  EXPECT_THAT(store.targets(), ::testing::Contains(before[2]));
  EXPECT_THAT(store.targets(), ::testing::Contains(before[3]));
  store.Remove(MakePod("a", {}));
  store.Remove(MakePod("unknown", {}));
  EXPECT_THAT(Ids(store), UnorderedElementsAre("d/b/c"));
  store.Remove(MakePod("b", {}));
  EXPECT_TRUE(store.targets().empty());
  EXPECT_EQ(store.Count(Resource::kPods), 0u);
}

// The same port twice in one container gives two targets with ids of their own.
TEST(TargetStoreTest, EqualPorts) {
  TargetStore store(Role::kPod, {});
  store.Put(0, MakePod("a", {1, 1}));
  EXPECT_THAT(Ids(store), UnorderedElementsAre("d/a/c/1/TCP", "d/a/c/1/TCP#2"));
}

// A new list takes away what it does not hold, of its own scope only.
TEST(TargetStoreTest, Lists) {
  TargetStore store(Role::kPod, {});
  store.BeginList(0);
  store.Put(0, MakePod("a", {}));
  store.Put(0, MakePod("b", {}));
  store.EndList(Resource::kPods, 0);
  store.Put(1, MakePod("other", {}));
  store.BeginList(0);
  store.Put(0, MakePod("b", {}));
  // A list that breaks off takes nothing away.
  store.BeginList(0);
  EXPECT_EQ(store.targets().size(), 3u);
  store.Put(0, MakePod("b", {}));
  store.EndList(Resource::kPods, 0);
  EXPECT_THAT(Ids(store), UnorderedElementsAre("d/b/c", "d/other/c"));
}

// Targets follow every object they are made from: a service, a pod and a node that come, change and
// go after their endpoints.
TEST(TargetStoreTest, FollowsWhatTargetsAreMadeFrom) {
  TargetStore store(Role::kEndpoints, {.node = true, .namespace_metadata = false});
  Endpoints endpoints;
  endpoints.meta.namespace_name = "d";
  endpoints.meta.name = "s";
  endpoints.subsets.push_back({.addresses = {{.ip = "1",
                                              .hostname = {},
                                              .node_name = "n",
                                              .target = TargetReference{"Pod", "d", "a"}}},
                               .ports = {{"", 80, "TCP"}}});
  store.Put(0, endpoints);
  const auto label = [&](std::string_view name) {
    return std::string(store.targets()[0]->labels.Get(name));
  };
  EXPECT_EQ(label("__meta_kubernetes_pod_name"), "");
  store.Put(1, MakePod("a", {80}));
  EXPECT_EQ(label("__meta_kubernetes_pod_name"), "a");
  store.Put(1, MakePod("a", {80}, "2"));
  EXPECT_EQ(label("__meta_kubernetes_pod_ip"), "2");
  Service service;
  service.meta = endpoints.meta;
  store.Put(2, service);
  EXPECT_EQ(label("__meta_kubernetes_service_name"), "s");
  Node node;
  node.meta.name = "n";
  store.Put(3, node);
  EXPECT_EQ(label("__meta_kubernetes_node_name"), "n");
  const std::uint64_t version = store.version();
  node.conditions = {{"Ready", "Unknown"}};
  store.Put(3, node);
  EXPECT_EQ(store.version(), version);
  store.Remove(MakePod("a", {}));
  store.Remove(service);
  store.BeginList(3);
  store.EndList(Resource::kNodes, 3);
  EXPECT_EQ(label("__meta_kubernetes_pod_name") + label("__meta_kubernetes_service_name") +
                label("__meta_kubernetes_node_name"),
            "");
  store.Remove(endpoints);
  EXPECT_TRUE(store.targets().empty());
}

}  // namespace
}  // namespace stoker::discovery::kubernetes
