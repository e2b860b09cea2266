#include "services/discovery/graph_node.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace stoker::discovery {

void ExpressionValue::Replace(TargetExpressionPtr expression) {
  expression_ = std::move(expression);
  versions_.reset();
}

const TargetOutput& ExpressionValue::Update(NodeInputs& inputs) {
  std::vector<std::uint64_t> versions;
  bool ready = true;
  for (const std::string& reference : expression_->references()) {
    const TargetOutput& output = inputs.OutputOf(reference);
    versions.push_back(output.version);
    ready = ready && output.ready;
  }
  if (versions_ == versions) return output_;
  versions_ = std::move(versions);
  // The usual case is shared: a list may hold hundreds of thousands.
  if (const std::string whole = expression_->whole(); !whole.empty()) {
    const TargetOutput& output = inputs.OutputOf(whole);
    output_ = {.targets = output.targets,
               .ready = ready,
               .status = absl::OkStatus(),
               .version = inputs.NextVersion()};
    return output_;
  }
  auto targets = expression_->Evaluate(
      [&inputs](const std::string& id) -> const auto& { return *inputs.OutputOf(id).targets; });
  output_.status = targets.status();
  output_.version = inputs.NextVersion();
  if (!targets.ok()) return output_;
  output_.targets = std::make_shared<const model::TargetVector>(*std::move(targets));
  output_.ready = ready;
  return output_;
}

void GraphNode::Publish(model::TargetVector targets, bool ready, absl::Status status,
                        NodeInputs& inputs) {
  if (targets != *output_.targets) {
    output_.targets = std::make_shared<const model::TargetVector>(std::move(targets));
    output_.version = inputs.NextVersion();
  }
  Publish(ready, std::move(status), inputs);
}

void GraphNode::Publish(bool ready, absl::Status status, NodeInputs& inputs) {
  if (ready == output_.ready && status == output_.status) return;
  output_.ready = ready;
  output_.status = std::move(status);
  output_.version = inputs.NextVersion();
}

ProcessNode::ProcessNode(const ProcessComponent& definition)
    : arguments_(definition.arguments), targets_(arguments_) {
  SetJoin(definition.join);
}

void ProcessNode::SetJoin(TargetExpressionPtr join) {
  if (join == nullptr) {
    join_.reset();
  } else if (join_) {
    join_->Replace(std::move(join));
  } else {
    join_.emplace(std::move(join));
  }
}

bool ProcessNode::Redefine(const Plan::Component& definition) {
  const auto* process = std::get_if<ProcessComponent>(&definition);
  if (process == nullptr) return false;
  if (process->arguments != arguments_) targets_ = ProcessTargets(process->arguments);
  arguments_ = process->arguments;
  SetJoin(process->join);
  made_from_ = nullptr;
  return true;
}

void ProcessNode::Update(NodeInputs& inputs) {
  const TargetOutput no_join{.ready = true};
  const TargetOutput& join = join_ ? join_->Update(inputs) : no_join;
  absl::Status status = inputs.process_status();
  if (status.ok()) status = join.status;
  const HostProcessesPtr& processes = inputs.processes();
  const bool changed = processes != made_from_ || join.version != join_version_;
  if (processes == nullptr || !changed) {
    const bool ready = processes != nullptr && join.ready;
    return Publish(output().ready || ready, std::move(status), inputs);
  }
  made_from_ = processes;
  join_version_ = join.version;
  Publish(targets_.Make(*processes, *join.targets), join.ready, std::move(status), inputs);
}

RelabelNode::RelabelNode(const RelabelComponent& definition)
    : input_(definition.targets), rules_(definition.rules), relabeler_(definition.relabeler) {}

bool RelabelNode::Redefine(const Plan::Component& definition) {
  const auto* relabel = std::get_if<RelabelComponent>(&definition);
  if (relabel == nullptr) return false;
  if (relabel->rules != rules_) {
    from_ = std::make_shared<model::TargetVector>();
    to_.clear();
  }
  rules_ = relabel->rules;
  relabeler_ = relabel->relabeler;
  input_.Replace(relabel->targets);
  return true;
}

model::TargetPtr RelabelNode::Relabel(const model::TargetPtr& target) const {
  model::Labels labels = target->labels;
  if (!relabeler_->Apply(labels)) return nullptr;
  if (labels == target->labels) return target;
  return std::make_shared<const model::Target>(
      model::Target{target->id, std::move(labels), target->process_start_ticks});
}

void RelabelNode::Follow(const List& input) {
  const model::TargetVector& old = *from_;
  const model::TargetVector& now = *input;
  // What moved is found among those that do not stand where they stood.
  std::unordered_map<const model::Target*, model::TargetPtr> moved;
  std::vector<std::size_t> open;
  for (std::size_t i = 0; i < std::max(old.size(), now.size()); ++i) {
    if (i < old.size() && i < now.size() && old[i] == now[i]) continue;
    if (i < old.size()) moved.emplace(old[i].get(), std::move(to_[i]));
    if (i < now.size()) open.push_back(i);
  }
  to_.resize(now.size());
  for (const std::size_t i : open) {
    const auto known = moved.find(now[i].get());
    to_[i] = known == moved.end() ? Relabel(now[i]) : known->second;
  }
  from_ = input;
}

void RelabelNode::Update(NodeInputs& inputs) {
  const TargetOutput& input = input_.Update(inputs);
  if (input.version == input_version_) return;
  input_version_ = input.version;
  Follow(input.targets);
  model::TargetVector targets;
  targets.reserve(to_.size());
  std::copy_if(to_.begin(), to_.end(), std::back_inserter(targets),
               [](const model::TargetPtr& target) { return target != nullptr; });
  dropped_ = to_.size() - targets.size();
  Publish(std::move(targets), input.ready, input.status, inputs);
}

}  // namespace stoker::discovery
