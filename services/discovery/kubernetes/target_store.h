#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "services/common/model/target.h"
#include "services/discovery/kubernetes/role_targets.h"

namespace stoker::discovery::kubernetes {

// The targets of a role, kept up to date object by object: what one object changes costs as much as
// the objects that its targets are made of, whatever the size of the cluster. Objects themselves
// are kept only where the targets of others need them. Not thread-safe.
class TargetStore final : ObjectLookup {
 public:
  TargetStore(Role role, config::DiscoveryKubernetes::AttachMetadata attach);

  // Objects come from several lists, told apart by their scope. From BeginList to EndList Put marks
  // what the new list holds; EndList removes what the scope held else.
  void BeginList(std::size_t scope) { ++generations_[scope]; }
  void EndList(Resource resource, std::size_t scope);
  // False where it was there.
  bool Put(std::size_t scope, Object object);
  void Remove(const Object& object);

  // A target that did not change keeps its pointer, and most keep their place.
  [[nodiscard]] const model::TargetVector& targets() const { return targets_; }
  // Grows whenever the targets change.
  [[nodiscard]] std::uint64_t version() const { return version_; }
  [[nodiscard]] std::size_t Count(Resource resource) const;

 private:
  // A resource and a key in it.
  using Name = std::pair<Resource, std::string>;
  struct Entry {
    std::size_t scope = 0;
    std::uint64_t generation = 0;
    // None where targets can be made from the object alone, once.
    std::unique_ptr<const Object> object;
    // Places of its targets.
    std::vector<std::uint32_t> places;
    // What they were made from but itself, found or not.
    std::vector<Name> used;
  };
  using Entries = std::unordered_map<std::string, Entry>;

  const Object* Find(Resource resource, const std::string& key) override;
  void Make(const std::string& key, Entry& entry, const Object& object);
  // Makes the targets anew that were made from it.
  void Remake(const Name& name);
  void Take(const std::string& key, Entry& entry, std::vector<ObjectTarget> made);
  void Append(model::TargetPtr target, Entry& entry);
  // Fills the place with the last target.
  void Erase(std::size_t place);
  void Forget(const std::string& key, Entry& entry);
  void Drop(Resource resource, Entries::iterator entry);

  const Resource primary_;
  const config::DiscoveryKubernetes::AttachMetadata attach_;
  // Whether the targets of an object depend on others.
  const bool looks_up_;

  std::map<std::size_t, std::uint64_t> generations_;
  std::map<Resource, Entries> entries_;
  // The keys of objects whose targets were made with it.
  std::map<Name, std::set<std::string>> users_;
  // While targets are made: what they use.
  std::vector<Name>* used_ = nullptr;

  model::TargetVector targets_;
  // Of each target the entry of its object.
  std::vector<Entry*> owners_;
  std::uint64_t version_ = 0;
};

}  // namespace stoker::discovery::kubernetes
