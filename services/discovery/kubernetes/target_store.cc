#include "services/discovery/kubernetes/target_store.h"

#include <algorithm>

#include <fmt/format.h>

namespace stoker::discovery::kubernetes {

TargetStore::TargetStore(Role role, config::DiscoveryKubernetes::AttachMetadata attach)
    : primary_(ResourceOf(role)),
      attach_(attach),
      looks_up_(role == Role::kEndpoints || role == Role::kEndpointSlice || attach.node ||
                attach.namespace_metadata) {}

std::size_t TargetStore::Count(Resource resource) const {
  const auto entries = entries_.find(resource);
  return entries == entries_.end() ? 0 : entries->second.size();
}

const Object* TargetStore::Find(Resource resource, const std::string& key) {
  if (used_ != nullptr) used_->emplace_back(resource, key);
  const Entries& entries = entries_[resource];
  const auto entry = entries.find(key);
  return entry == entries.end() || entry->second.object == nullptr ? nullptr
                                                                   : entry->second.object.get();
}

bool TargetStore::Put(std::size_t scope, Object object) {
  const auto resource = static_cast<Resource>(object.index());
  const ObjectMeta& meta = MetaOf(object);
  const auto [it, added] = entries_[resource].try_emplace(KeyOf(meta.namespace_name, meta.name));
  Entry& entry = it->second;
  entry.scope = scope;
  entry.generation = generations_[scope];
  if (entry.object != nullptr && *entry.object == object) return added;
  if (resource == primary_) {
    Make(it->first, entry, object);
    if (looks_up_) entry.object = std::make_unique<const Object>(std::move(object));
    return added;
  }
  entry.object = std::make_unique<const Object>(std::move(object));
  Remake({resource, it->first});
  return added;
}

void TargetStore::Remove(const Object& object) {
  const auto resource = static_cast<Resource>(object.index());
  const ObjectMeta& meta = MetaOf(object);
  const auto entry = entries_[resource].find(KeyOf(meta.namespace_name, meta.name));
  if (entry != entries_[resource].end()) Drop(resource, entry);
}

void TargetStore::EndList(Resource resource, std::size_t scope) {
  Entries& entries = entries_[resource];
  const std::uint64_t generation = generations_[scope];
  for (auto it = entries.begin(); it != entries.end();) {
    const auto entry = it++;
    const bool stays = entry->second.scope != scope || entry->second.generation == generation;
    if (!stays) Drop(resource, entry);
  }
}

void TargetStore::Drop(Resource resource, Entries::iterator entry) {
  const Name name{resource, entry->first};
  if (resource == primary_) Forget(entry->first, entry->second);
  entries_[resource].erase(entry);
  if (resource != primary_) Remake(name);
}

void TargetStore::Make(const std::string& key, Entry& entry, const Object& object) {
  std::vector<Name> used;
  used_ = &used;
  std::vector<ObjectTarget> made = MakeTargets(object, attach_, *this);
  used_ = nullptr;
  for (const Name& name : entry.used) {
    const auto users = users_.find(name);
    users->second.erase(key);
    if (users->second.empty()) users_.erase(users);
  }
  std::sort(used.begin(), used.end());
  used.erase(std::unique(used.begin(), used.end()), used.end());
  for (const Name& name : used) users_[name].insert(key);
  entry.used = std::move(used);
  Take(key, entry, std::move(made));
}

void TargetStore::Remake(const Name& name) {
  const auto users = users_.find(name);
  if (users == users_.end()) return;
  Entries& entries = entries_[primary_];
  for (const std::string& key : std::set<std::string>(users->second)) {
    Entry& entry = entries.at(key);
    Make(key, entry, *entry.object);
  }
}

void TargetStore::Take(const std::string& key, Entry& entry, std::vector<ObjectTarget> made) {
  std::map<model::Text, std::size_t> old;
  for (const std::size_t place : entry.places) old.emplace(targets_[place]->id, place);
  std::set<std::string> ids;
  for (ObjectTarget& one : made) {
    const std::string plain = one.name.empty() ? key : key + "/" + one.name;
    std::string id = plain;
    for (int n = 2; !ids.insert(id).second; ++n) id = fmt::format("{}#{}", plain, n);
    const auto before = old.find(id);
    if (before != old.end() && targets_[before->second]->labels == one.labels) {
      old.erase(before);
      continue;
    }
    ++version_;
    auto target = std::make_shared<const model::Target>(
        model::Target{std::move(id), std::move(one.labels), 0});
    if (before == old.end()) {
      Append(std::move(target), entry);
    } else {
      targets_[before->second] = std::move(target);
      old.erase(before);
    }
  }
  // From behind, so that the places that are left to erase stay what they are.
  std::vector<std::size_t> gone;
  for (const auto& [id, place] : old) gone.push_back(place);
  std::sort(gone.rbegin(), gone.rend());
  for (const std::size_t place : gone) Erase(place);
}

void TargetStore::Append(model::TargetPtr target, Entry& entry) {
  entry.places.push_back(static_cast<std::uint32_t>(targets_.size()));
  targets_.push_back(std::move(target));
  owners_.push_back(&entry);
}

void TargetStore::Erase(std::size_t place) {
  ++version_;
  std::erase(owners_[place]->places, place);
  const std::size_t last = targets_.size() - 1;
  if (place != last) {
    std::vector<std::uint32_t>& moved = owners_[last]->places;
    *std::find(moved.begin(), moved.end(), last) = static_cast<std::uint32_t>(place);
    targets_[place] = std::move(targets_[last]);
    owners_[place] = owners_[last];
  }
  targets_.pop_back();
  owners_.pop_back();
}

void TargetStore::Forget(const std::string& key, Entry& entry) {
  Take(key, entry, {});
  for (const Name& name : std::exchange(entry.used, {})) {
    const auto users = users_.find(name);
    users->second.erase(key);
    if (users->second.empty()) users_.erase(users);
  }
}

}  // namespace stoker::discovery::kubernetes
