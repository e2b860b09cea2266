#include "services/discovery/target_graph.h"

#include <utility>

namespace stoker::discovery {

void TargetGraph::SetPlan(PlanPtr plan) {
  plan_ = std::move(plan);
  ++epoch_;
  for (auto it = nodes_.begin(); it != nodes_.end();) {
    const auto definition = plan_->components.find(it->first);
    const bool stays =
        definition != plan_->components.end() && it->second.node->Redefine(definition->second);
    it = stays ? std::next(it) : nodes_.erase(it);
  }
  for (auto it = arguments_.begin(); it != arguments_.end();) {
    const auto expression = plan_->arguments.find(it->first);
    if (expression == plan_->arguments.end()) {
      it = arguments_.erase(it);
    } else {
      it->second.Replace(expression->second);
      ++it;
    }
  }
}

void TargetGraph::SetProcesses(HostProcessesPtr processes) {
  if (processes == processes_ && process_status_.ok()) return;
  processes_ = std::move(processes);
  process_status_ = absl::OkStatus();
  ++epoch_;
}

void TargetGraph::SetProcessStatus(absl::Status status) {
  if (status == process_status_) return;
  process_status_ = std::move(status);
  ++epoch_;
}

bool TargetGraph::NamesComponent(const ListName& list) const {
  const auto component = plan_->components.find(list.first);
  if (component == plan_->components.end()) return false;
  if (list.second == "targets") return true;
  return list.second == "output" && std::holds_alternative<RelabelComponent>(component->second);
}

bool TargetGraph::Has(const ListName& list) const {
  return NamesComponent(list) || plan_->arguments.contains(list);
}

const TargetOutput& TargetGraph::Evaluate(const ListName& list) {
  if (NamesComponent(list)) return OutputOf(list.first);
  auto value = arguments_.find(list);
  if (value == arguments_.end()) {
    value = arguments_.emplace(list, ExpressionValue(plan_->arguments.at(list))).first;
  }
  return value->second.Update(*this);
}

const TargetOutput& TargetGraph::OutputOf(const std::string& component_id) {
  const auto definition = plan_->components.find(component_id);
  if (definition == plan_->components.end()) return missing_;
  Node& node = nodes_[component_id];
  if (node.node == nullptr) node.node = MakeNode(definition->second);
  if (std::exchange(node.epoch, epoch_) != epoch_) node.node->Update(*this);
  return node.node->output();
}

std::set<std::string> TargetGraph::ComponentsBehind(const ListName& list) const {
  std::set<std::string> components;
  if (NamesComponent(list)) {
    AddComponent(list.first, components);
  } else {
    AddReferences(plan_->arguments.at(list).get(), components);
  }
  return components;
}

void TargetGraph::AddReferences(const TargetExpression* expression,
                                std::set<std::string>& components) const {
  if (expression == nullptr) return;
  for (const std::string& id : expression->references()) AddComponent(id, components);
}

void TargetGraph::AddComponent(const std::string& id, std::set<std::string>& components) const {
  const auto definition = plan_->components.find(id);
  if (definition == plan_->components.end() || !components.insert(id).second) return;
  const Plan::Component& component = definition->second;
  if (const auto* process = std::get_if<ProcessComponent>(&component)) {
    AddReferences(process->join.get(), components);
  } else if (const auto* relabel = std::get_if<RelabelComponent>(&component)) {
    AddReferences(relabel->targets.get(), components);
  }
}

void TargetGraph::Retain(const std::set<std::string>& running) {
  std::erase_if(nodes_, [&running](const auto& node) { return !running.contains(node.first); });
}

const GraphNode* TargetGraph::Find(const std::string& component_id) const {
  const auto it = nodes_.find(component_id);
  return it == nodes_.end() ? nullptr : it->second.node.get();
}

}  // namespace stoker::discovery
