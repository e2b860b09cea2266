#include "services/common/relabel/relabeler.h"

#include <gtest/gtest.h>

namespace stoker::relabel {
namespace {

using config::RelabelRule;
using model::Labels;

// Rules run in their order, each on what the one before left, and stop at the first drop.
TEST(RelabelerTest, RunsInOrder) {
  const auto relabeler = Relabeler::Compile(
      {{.source_labels = {"a"}, .target_label = "b", .replacement = "${1}1"},
       {.source_labels = {"b"}, .regex = "drop1", .action = RelabelRule::Action::kDrop},
       {.source_labels = {"b"}, .target_label = "c"}});
  ASSERT_TRUE(relabeler.ok()) << relabeler.status();
  Labels kept{{"a", "x"}};
  EXPECT_TRUE(relabeler->Apply(kept));
  EXPECT_EQ(kept, (Labels{{"a", "x"}, {"b", "x1"}, {"c", "x1"}}));
  Labels dropped{{"a", "drop"}};
  EXPECT_FALSE(relabeler->Apply(dropped));
  EXPECT_FALSE(dropped.Has("c"));
}

// The seeds' Kubernetes example: seven rules over one pod, and over one that has ended.
TEST(RelabelerTest, SeedKubernetes) {
  using Action = RelabelRule::Action;
  const std::string meta = "__meta_kubernetes_";
  const auto relabeler = Relabeler::Compile(
      {{.source_labels = {meta + "pod_phase"},
        .regex = "Succeeded|Failed",
        .action = Action::kDrop},
       {.source_labels = {meta + "namespace", meta + "pod_container_name"},
        .separator = "@",
        .regex = "(.*)@(.*)",
        .target_label = "service_name",
        .replacement = "ebpf/${1}/${2}"},
       {.regex = meta + "pod_label_(.+)", .action = Action::kLabelmap},
       {.source_labels = {meta + "namespace"}, .target_label = "namespace"},
       {.source_labels = {meta + "pod_name"}, .target_label = "pod"},
       {.source_labels = {meta + "node_name"}, .target_label = "node"},
       {.source_labels = {meta + "pod_container_name"}, .target_label = "container"}});
  ASSERT_TRUE(relabeler.ok()) << relabeler.status();
  const Labels pod{{meta + "pod_phase", "Running"},       {meta + "namespace", "shop"},
                   {meta + "pod_container_name", "cart"}, {meta + "pod_name", "cart-0"},
                   {meta + "pod_label_app", "cart"},      {meta + "pod_labelpresent_app", "true"}};
  Labels labels = pod;
  EXPECT_TRUE(relabeler->Apply(labels));
  Labels expected = pod;
  expected.Set("service_name", "ebpf/shop/cart");
  expected.Set("app", "cart");
  expected.Set("namespace", "shop");
  expected.Set("pod", "cart-0");
  expected.Set("container", "cart");
  EXPECT_EQ(labels, expected);
  Labels ended = pod;
  ended.Set(meta + "pod_phase", "Failed");
  EXPECT_FALSE(relabeler->Apply(ended));
}

// A wrong rule is named by its number.
TEST(RelabelerTest, NamesTheWrongRule) {
  const auto relabeler =
      Relabeler::Compile({{.target_label = "a"}, {.regex = "[", .target_label = "a"}});
  EXPECT_EQ(relabeler.status().message(), "rule 2: regex \"[\": missing ]: [");
}

}  // namespace
}  // namespace stoker::relabel
