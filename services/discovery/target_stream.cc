#include "services/discovery/target_stream.h"

#include <algorithm>
#include <unordered_set>

#include <fmt/format.h>

namespace stoker::discovery {
namespace {

constexpr absl::Duration kBetweenChanges = absl::Milliseconds(200);
constexpr std::size_t kMaxPartBytes = 1 << 20;

// About what a target takes on the wire.
std::size_t WireBytes(const model::Target& target) {
  constexpr std::size_t kPerField = 6;
  std::size_t bytes = target.id.size() + 3 * kPerField;
  for (const model::LabelView label : target.labels) {
    bytes += label.name.size() + label.value.size() + kPerField;
  }
  return bytes;
}

}  // namespace

void TargetStream::Offer(const TargetOutput& output) {
  if (list_ != nullptr && output.version == version_) return;
  list_ = output.targets;
  ready_ = output.ready;
  version_ = output.version;
  pending_ = true;
}

std::optional<absl::Duration> TargetStream::NextAt() const {
  if (!parts_.empty()) return absl::ZeroDuration();
  if (!pending_) return std::nullopt;
  return not_before_;
}

std::optional<TargetChange> TargetStream::Take(absl::Duration now) {
  if (parts_.empty() && pending_) {
    Compare();
    if (!parts_.empty()) not_before_ = now + kBetweenChanges;
  }
  if (parts_.empty()) return std::nullopt;
  TargetChange change = std::move(parts_.front());
  parts_.pop_front();
  return change;
}

void TargetStream::Queue(model::Text id, model::TargetPtr target, std::size_t& bytes) {
  const std::size_t size = WireBytes(*target);
  if (parts_.empty() || bytes + size > kMaxPartBytes) {
    parts_.emplace_back();
    bytes = 0;
  }
  bytes += size;
  parts_.back().upsert.emplace_back(std::move(id), std::move(target));
}

bool TargetStream::CompareChanged() {
  if (told_list_ == nullptr || !ready_ || !synced_) return false;
  const model::TargetVector& before = *told_list_;
  const model::TargetVector& now = *list_;
  // Targets whose place holds another; keys are their own ids.
  std::unordered_set<std::string_view> gone;
  std::unordered_set<std::string_view> come;
  std::vector<model::TargetPtr> put;
  for (std::size_t i = 0; i < std::max(before.size(), now.size()); ++i) {
    if (i < before.size() && i < now.size() && before[i] == now[i]) continue;
    if (i < before.size()) gone.insert(before[i]->id);
    if (i >= now.size()) continue;
    if (!come.insert(now[i]->id).second) return false;
    put.push_back(now[i]);
  }
  // An id that a target which stays has too needs a name of its own.
  for (const model::TargetPtr& target : put) {
    if (!gone.contains(target->id) && told_.contains(target->id)) return false;
  }
  std::size_t bytes = 0;
  for (const model::TargetPtr& target : put) {
    model::TargetPtr& told = told_[target->id];
    const bool same = told != nullptr && (told == target || *told == *target);
    told = target;
    if (!same) Queue(target->id, target, bytes);
  }
  std::vector<model::Text> removed;
  for (const std::string_view id : gone) {
    if (come.contains(id)) continue;
    removed.emplace_back(id);
    told_.erase(removed.back());
  }
  if (parts_.empty() && !removed.empty()) parts_.emplace_back();
  if (!parts_.empty()) parts_.back().remove = std::move(removed);
  for (TargetChange& part : parts_) part.synced = true;
  told_list_ = list_;
  return true;
}

void TargetStream::Compare() {
  pending_ = false;
  if (CompareChanged()) return;
  std::unordered_map<model::Text, model::TargetPtr> list;
  std::unordered_map<std::string_view, int> repeated;
  list.reserve(list_->size());
  std::size_t bytes = 0;
  for (const model::TargetPtr& target : *list_) {
    model::Text id = target->id;
    while (list.contains(id)) {
      id = fmt::format("{}#{}", target->id.view(), ++repeated[target->id] + 1);
    }
    const auto told = told_.find(id);
    const bool same = told != told_.end() && (told->second == target || *told->second == *target);
    if (!same) Queue(id, target, bytes);
    list.emplace(std::move(id), target);
  }
  std::vector<model::Text> removed;
  for (const auto& [id, target] : told_) {
    if (!list.contains(id)) removed.push_back(id);
  }
  // While a source behind the list has not spoken, what it gave before must not vanish.
  if (!ready_) {
    for (const model::Text& id : removed) list.emplace(id, told_.at(id));
    removed.clear();
  }
  const bool becomes_synced = ready_ && !synced_;
  if (parts_.empty() && (!removed.empty() || becomes_synced)) parts_.emplace_back();
  if (!parts_.empty()) {
    parts_.back().remove = std::move(removed);
    for (TargetChange& part : parts_) part.synced = synced_;
    parts_.back().synced = synced_ = synced_ || ready_;
  }
  told_ = std::move(list);
  told_list_ = repeated.empty() && told_.size() == list_->size() ? list_ : nullptr;
}

}  // namespace stoker::discovery
