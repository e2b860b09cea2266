#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <nlohmann/json.hpp>

#include "services/discovery/host_process.h"
#include "services/discovery/plan.h"
#include "services/discovery/process_targets.h"
#include "services/discovery/target_output.h"

namespace stoker::discovery {

// Where a node finds what it is made from.
class NodeInputs {
 public:
  virtual ~NodeInputs() = default;

  // What the component of that id gives now.
  virtual const TargetOutput& OutputOf(const std::string& component_id) = 0;
  // Null before the first scan.
  [[nodiscard]] virtual const HostProcessesPtr& processes() const = 0;
  // Why the processes are old; OK when they are not.
  [[nodiscard]] virtual const absl::Status& process_status() const = 0;
  virtual std::uint64_t NextVersion() = 0;
};

// The value of an expression, evaluated anew when a component that it uses has changed. What cannot
// be evaluated keeps its last value.
class ExpressionValue {
 public:
  explicit ExpressionValue(TargetExpressionPtr expression) : expression_(std::move(expression)) {}

  // Keeps the value until the next Update.
  void Replace(TargetExpressionPtr expression);
  const TargetOutput& Update(NodeInputs& inputs);
  [[nodiscard]] const TargetExpression& expression() const { return *expression_; }

 private:
  TargetExpressionPtr expression_;
  // Of the references, at the last evaluation; empty before it.
  std::optional<std::vector<std::uint64_t>> versions_;
  TargetOutput output_;
};

// A discovery component that runs. Not thread-safe.
class GraphNode {
 public:
  virtual ~GraphNode() = default;

  // Brings the output up to date.
  virtual void Update(NodeInputs& inputs) = 0;
  // Takes a new definition; false when it is of another kind of component.
  virtual bool Redefine(const Plan::Component& definition) = 0;
  // Targets or processes that came in and were left out.
  [[nodiscard]] virtual std::size_t dropped() const = 0;
  // What more /debug/state shows of it; null: nothing.
  [[nodiscard]] virtual nlohmann::json DebugState() const { return nullptr; }

  [[nodiscard]] const TargetOutput& output() const { return output_; }

 protected:
  // Sets the output, with a new version only if something changed.
  void Publish(model::TargetVector targets, bool ready, absl::Status status, NodeInputs& inputs);
  // The same, with the targets as they are.
  void Publish(bool ready, absl::Status status, NodeInputs& inputs);

 private:
  TargetOutput output_;
};

// discovery.process.
class ProcessNode final : public GraphNode {
 public:
  explicit ProcessNode(const ProcessComponent& definition);
  void Update(NodeInputs& inputs) override;
  bool Redefine(const Plan::Component& definition) override;
  [[nodiscard]] std::size_t dropped() const override { return targets_.skipped(); }

 private:
  void SetJoin(TargetExpressionPtr join);

  config::DiscoveryProcess arguments_;
  ProcessTargets targets_;
  std::optional<ExpressionValue> join_;
  // What the output was made from.
  HostProcessesPtr made_from_;
  std::uint64_t join_version_ = 0;
};

// discovery.relabel. A target that did not change is not relabelled again.
class RelabelNode final : public GraphNode {
 public:
  explicit RelabelNode(const RelabelComponent& definition);
  void Update(NodeInputs& inputs) override;
  bool Redefine(const Plan::Component& definition) override;
  [[nodiscard]] std::size_t dropped() const override { return dropped_; }

 private:
  using List = std::shared_ptr<const model::TargetVector>;

  // Null where the rules drop it.
  [[nodiscard]] model::TargetPtr Relabel(const model::TargetPtr& target) const;
  // Brings `to_` in step with the input. What stands where it stood costs next to nothing.
  void Follow(const List& input);

  ExpressionValue input_;
  std::vector<config::RelabelRule> rules_;
  std::shared_ptr<const relabel::Relabeler> relabeler_;
  // The input that was followed last, and what became of each of its targets.
  List from_ = std::make_shared<model::TargetVector>();
  model::TargetVector to_;
  std::uint64_t input_version_ = 0;
  std::size_t dropped_ = 0;
};

// BrokenComponent.
class BrokenNode final : public GraphNode {
 public:
  void Update(NodeInputs&) override {}
  bool Redefine(const Plan::Component& definition) override {
    return std::holds_alternative<BrokenComponent>(definition);
  }
  [[nodiscard]] std::size_t dropped() const override { return 0; }
};

}  // namespace stoker::discovery
