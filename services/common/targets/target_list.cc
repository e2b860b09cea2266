#include "services/common/targets/target_list.h"

#include <memory>
#include <utility>

namespace stoker::targets {
namespace {

// Bounds of memory, far above what a node or a cluster has: past them the oldest removed target
// goes early, and a new target is refused.
constexpr std::size_t kMaxLingering = 1 << 16;
constexpr std::size_t kMaxTargets = 1 << 20;

}  // namespace

void TargetList::BeginStream() {
  ++stream_;
  stream_synced_ = false;
}

void TargetList::Apply(Change change, absl::Duration now) {
  for (const std::string& id : change.remove) {
    const auto entry = entries_.find(id);
    if (entry != entries_.end() && entry->second.removal == 0) Remove(entry, now);
  }
  for (model::Target& target : change.upsert) Upsert(std::move(target));
  if (!change.synced || stream_synced_) return;
  stream_synced_ = true;
  synced_ = true;
  ForgetOlderStreams(now);
}

void TargetList::Upsert(model::Target target) {
  const auto found = entries_.find(target.id);
  if (found == entries_.end()) {
    if (entries_.size() >= kMaxTargets) {
      ++refused_;
      return;
    }
    model::Text id = target.id;
    auto shared = std::make_shared<const model::Target>(std::move(target));
    entries_.emplace(std::move(id), Entry{std::move(shared), stream_});
    return;
  }
  Entry& entry = found->second;
  entry.stream = stream_;
  entry.removal = 0;
  if (*entry.target != target) {
    entry.target = std::make_shared<const model::Target>(std::move(target));
  }
}

TargetList::Entries::iterator TargetList::Remove(Entries::iterator entry, absl::Duration now) {
  if (linger_ <= absl::ZeroDuration()) return entries_.erase(entry);
  if (lingering_.size() >= kMaxLingering) DropFirstRemoval();
  entry->second.removal = ++removals_;
  lingering_.push_back({now + linger_, removals_, entry->first});
  return ++entry;
}

void TargetList::ForgetOlderStreams(absl::Duration now) {
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const bool stale = entry->second.stream != stream_ && entry->second.removal == 0;
    entry = stale ? Remove(entry, now) : std::next(entry);
  }
}

void TargetList::DropFirstRemoval() {
  const auto entry = entries_.find(lingering_.front().id);
  const bool valid = entry != entries_.end() && entry->second.removal == lingering_.front().number;
  if (valid) entries_.erase(entry);
  lingering_.pop_front();
}

bool TargetList::Expire(absl::Duration now) {
  const std::size_t before = entries_.size();
  while (!lingering_.empty() && lingering_.front().until <= now) DropFirstRemoval();
  return entries_.size() != before;
}

model::TargetVector TargetList::Targets() const {
  model::TargetVector targets;
  targets.reserve(entries_.size());
  for (const bool lingers : {true, false}) {
    for (const auto& [id, entry] : entries_) {
      if ((entry.removal != 0) == lingers) targets.push_back(entry.target);
    }
  }
  return targets;
}

}  // namespace stoker::targets
