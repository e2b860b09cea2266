#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>

#include <absl/status/status.h>

#include "services/discovery/graph_node.h"
#include "services/discovery/host_process.h"
#include "services/discovery/plan.h"
#include "services/discovery/target_output.h"

namespace stoker::discovery {

// The graph of discovery components: sources at one end, consumers' arguments at the other. A list
// is made when it is asked for, and only from what changed since. Not thread-safe.
class TargetGraph final : NodeInputs {
 public:
  // A component id and one of its arguments; or a discovery component and "targets" (of
  // discovery.relabel "output" too), for what it gives.
  using ListName = Plan::Argument;

  // Components and arguments that stay keep their targets as far as they are the same.
  void SetPlan(PlanPtr plan);
  [[nodiscard]] const Plan& plan() const { return *plan_; }

  // The processes of this host; null: nobody looks.
  void SetProcesses(HostProcessesPtr processes);
  // The last look failed: the old processes stay.
  void SetProcessStatus(absl::Status status);

  [[nodiscard]] bool Has(const ListName& list) const;
  // A list of the plan, as it is now. What fails keeps what it gave last.
  const TargetOutput& Evaluate(const ListName& list);
  // The components that a list of the plan is made from, near and far.
  [[nodiscard]] std::set<std::string> ComponentsBehind(const ListName& list) const;

  // Another one after each change of any output.
  [[nodiscard]] std::uint64_t version() const { return version_; }

  // Forgets the components that are not in `running`.
  void Retain(const std::set<std::string>& running);
  // A component that runs; null for another.
  [[nodiscard]] const GraphNode* Find(const std::string& component_id) const;

 private:
  struct Node {
    std::unique_ptr<GraphNode> node;
    // The change of the world that it was updated for.
    std::uint64_t epoch = 0;
  };

  const TargetOutput& OutputOf(const std::string& component_id) override;
  [[nodiscard]] const HostProcessesPtr& processes() const override { return processes_; }
  [[nodiscard]] const absl::Status& process_status() const override { return process_status_; }
  std::uint64_t NextVersion() override { return ++version_; }

  [[nodiscard]] bool NamesComponent(const ListName& list) const;
  void AddReferences(const TargetExpression* expression, std::set<std::string>& components) const;
  void AddComponent(const std::string& id, std::set<std::string>& components) const;

  PlanPtr plan_ = std::make_shared<Plan>();
  HostProcessesPtr processes_;
  absl::Status process_status_;
  // Of a component that the plan has not: an old definition may still name one.
  const TargetOutput missing_;
  std::uint64_t epoch_ = 1;
  std::uint64_t version_ = 0;
  std::map<std::string, Node> nodes_;
  std::map<ListName, ExpressionValue> arguments_;
};

}  // namespace stoker::discovery
