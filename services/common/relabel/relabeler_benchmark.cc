// The seven rules of the seeds' Kubernetes example over distinct pods of 40 labels, without any
// cache of results.
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "services/common/relabel/relabeler.h"

namespace stoker::relabel {
namespace {

using config::RelabelRule;
using model::Labels;

std::vector<RelabelRule> SeedRules() {
  const std::string meta = "__meta_kubernetes_";
  return {
      {.source_labels = {meta + "pod_phase"},
       .regex = "Succeeded|Failed",
       .action = RelabelRule::Action::kDrop},
      {.source_labels = {meta + "namespace", meta + "pod_container_name"},
       .separator = "@",
       .regex = "(.*)@(.*)",
       .target_label = "service_name",
       .replacement = "ebpf/${1}/${2}"},
      {.regex = meta + "pod_label_(.+)", .action = RelabelRule::Action::kLabelmap},
      {.source_labels = {meta + "namespace"}, .target_label = "namespace"},
      {.source_labels = {meta + "pod_name"}, .target_label = "pod"},
      {.source_labels = {meta + "node_name"}, .target_label = "node"},
      {.source_labels = {meta + "pod_container_name"}, .target_label = "container"},
  };
}

std::vector<Labels> Pods(int count) {
  const std::string meta = "__meta_kubernetes_";
  std::vector<Labels> pods;
  for (int i = 0; i < count; ++i) {
    const std::string id = std::to_string(i);
    std::vector<model::Label> labels = {
        {"__address__", "10.0." + id + ":8080"},
        {meta + "namespace", "team-" + std::to_string(i % 50)},
        {meta + "pod_name", "checkout-service-6f9c7d-" + id},
        {meta + "pod_container_name", "checkout"},
        {meta + "pod_container_id", "containerd://9a7c" + id},
        {meta + "pod_phase", "Running"},
        {meta + "node_name", "node-" + std::to_string(i % 1000)},
        {meta + "pod_uid", "b8a25f14-8004-409d-" + id},
    };
    for (int k = 0; k < 6; ++k) {
      labels.push_back({meta + "pod_label_app_kubernetes_io_" + std::to_string(k), "value-" + id});
    }
    for (int k = 0; labels.size() < 40; ++k) {
      labels.push_back({meta + "pod_annotation_example_com_" + std::to_string(k), "value-" + id});
    }
    pods.emplace_back(std::move(labels));
  }
  return pods;
}

void BM_SeedRules(benchmark::State& state) {
  const Relabeler relabeler = Relabeler::Compile(SeedRules()).value();
  const std::vector<Labels> pods = Pods(50'000);
  for (auto _ : state) {
    for (const Labels& pod : pods) {
      Labels labels = pod;
      benchmark::DoNotOptimize(relabeler.Apply(labels));
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(pods.size()));
}
BENCHMARK(BM_SeedRules)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace stoker::relabel
