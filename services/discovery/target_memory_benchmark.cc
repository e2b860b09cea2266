// Where the memory of a large cluster's targets goes, stage by stage: bytes of heap for each
// target, of pods of five containers as an API server gives them, through the rules that
// kubernetes_benchmark has. What kubernetes_benchmark sees of the whole process has also code,
// buffers and what the heap keeps free.
#include <memory>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <malloc.h>
#include <nlohmann/json.hpp>

#include "services/discovery/graph_node.h"
#include "services/discovery/kubernetes/object_json.h"
#include "services/discovery/kubernetes/target_store.h"
#include "services/discovery/target_stream.h"

namespace stoker::discovery {
namespace {

using config::RelabelRule;

constexpr std::size_t kContainers = 5;

// As tests/kubernetes/api_server.py generates them, without what is not read.
std::string PodEvent(std::size_t index) {
  static const std::vector<std::string> names = {"app", "sidecar", "metrics", "proxy", "logger"};
  const std::string app = fmt::format("app-{}", index % 1000);
  const std::string name =
      fmt::format("app-{:06}-7d9c5b6f4-{:05x}", index, index * 2654435761 % 0xfffff);
  nlohmann::json containers = nlohmann::json::array();
  nlohmann::json statuses = nlohmann::json::array();
  for (std::size_t i = 0; i < kContainers; ++i) {
    containers.push_back(
        {{"name", names[i]},
         {"image", fmt::format("registry.example/{}:1.2.3", names[i])},
         {"ports", {{{"name", "http"}, {"containerPort", 8080 + i}, {"protocol", "TCP"}}}}});
    statuses.push_back(
        {{"name", names[i]}, {"containerID", fmt::format("containerd://{:064x}", index * 8 + i)}});
  }
  const nlohmann::json pod = {
      {"metadata",
       {{"name", name},
        {"namespace", fmt::format("team-{}", index % 50)},
        {"uid", fmt::format("{:08x}-4bd1-{:012x}", index, index)},
        {"labels",
         {{"app", app},
          {"pod-template-hash", "7d9c5b6f4"},
          {"tier", "backend"},
          {"app.kubernetes.io/part-of", "shop"}}},
        {"annotations",
         {{"prometheus.io/scrape", "true"},
          {"kubernetes.io/config.seen", fmt::format("2026-08-01T10:{:02}:00Z", index % 60)}}},
        {"ownerReferences",
         {{{"kind", "ReplicaSet"}, {"name", app + "-7d9c5b6f4"}, {"controller", true}}}}}},
      {"spec",
       {{"nodeName", fmt::format("node-{}", index % 500)}, {"containers", std::move(containers)}}},
      {"status",
       {{"phase", "Running"},
        {"conditions", {{{"type", "Ready"}, {"status", "True"}}}},
        {"hostIP", "192.168.0.7"},
        {"podIP", fmt::format("10.{}.{}.{}", index >> 16, index >> 8 & 255, index & 255)},
        {"containerStatuses", std::move(statuses)}}}};
  return nlohmann::json({{"type", "ADDED"}, {"object", pod}}).dump();
}

std::vector<RelabelRule> Rules() {
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
      {.source_labels = {meta + "pod_node_name"}, .target_label = "node"},
      {.source_labels = {meta + "pod_container_name"}, .target_label = "container"},
      {.source_labels = {meta + "pod_container_init"},
       .regex = "false",
       .action = RelabelRule::Action::kKeep},
      {.source_labels = {meta + "pod_phase"},
       .target_label = "phase",
       .action = RelabelRule::Action::kLowercase},
      {.regex = meta + "pod_(label|annotation).*", .action = RelabelRule::Action::kLabeldrop},
  };
}

// The list of one component.
class WholeList final : public TargetExpression {
 public:
  [[nodiscard]] const std::vector<std::string>& references() const override { return ids_; }
  [[nodiscard]] std::string whole() const override { return ids_.front(); }
  [[nodiscard]] absl::StatusOr<model::TargetVector> Evaluate(const Lookup& of) const override {
    return of(ids_.front());
  }

 private:
  const std::vector<std::string> ids_ = {"pods"};
};

class Inputs final : public NodeInputs {
 public:
  const TargetOutput& OutputOf(const std::string&) override { return output; }
  [[nodiscard]] const HostProcessesPtr& processes() const override { return processes_; }
  [[nodiscard]] const absl::Status& process_status() const override { return status_; }
  std::uint64_t NextVersion() override { return ++version_; }

  TargetOutput output;

 private:
  HostProcessesPtr processes_;
  absl::Status status_;
  std::uint64_t version_ = 1;
};

double HeapBytes() {
  const struct mallinfo2 heap = mallinfo2();
  return static_cast<double>(heap.uordblks + heap.hblkhd);
}

void BM_Stages(benchmark::State& state) {
  const auto pods = static_cast<std::size_t>(state.range(0));
  const auto targets = static_cast<double>(pods * kContainers);
  for (auto _ : state) {
    double before = HeapBytes();
    const auto stage = [&](const char* name) {
      const double now = HeapBytes();
      state.counters[name] = (now - before) / targets;
      before = now;
    };
    kubernetes::TargetStore store(kubernetes::Role::kPod, {});
    store.BeginList(0);
    for (std::size_t i = 0; i < pods; ++i) {
      auto event = kubernetes::ParseEvent(kubernetes::Resource::kPods, PodEvent(i));
      store.Put(0, *std::move(event->object));
    }
    store.EndList(kubernetes::Resource::kPods, 0);
    stage("store");
    Inputs inputs;
    inputs.output = {.targets = std::make_shared<const model::TargetVector>(store.targets()),
                     .ready = true,
                     .status = {},
                     .version = 1};
    stage("list");
    RelabelNode relabel({.targets = std::make_shared<WholeList>(),
                         .rules = Rules(),
                         .relabeler = std::make_shared<const relabel::Relabeler>(
                             relabel::Relabeler::Compile(Rules()).value())});
    relabel.Update(inputs);
    stage("relabelled");
    TargetStream stream;
    stream.Offer(relabel.output());
    std::size_t told = 0;
    bool first = true;
    while (const auto change = stream.Take(absl::InfiniteDuration())) {
      if (first) stage("first_message");
      first = false;
      told += change->upsert.size();
    }
    stage("told");
    if (static_cast<double>(told) != targets) state.SkipWithError("targets are missing");
    state.counters["labels"] = static_cast<double>(
        store.targets().front()->labels.size() + relabel.output().targets->front()->labels.size());
    struct Text {
      double names = 0;
      double values = 0;
    } text;
    for (const model::TargetVector* list : {&store.targets(), relabel.output().targets.get()}) {
      for (const auto& label : list->front()->labels) {
        text.names += static_cast<double>(label.name.size());
        text.values += static_cast<double>(label.value.size());
      }
    }
    state.counters["text_of_names"] = text.names;
    state.counters["text_of_values"] = text.values;
  }
}
BENCHMARK(BM_Stages)->Arg(50'000)->Iterations(1)->Unit(benchmark::kSecond);

}  // namespace
}  // namespace stoker::discovery
