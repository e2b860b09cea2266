#include "services/store/series_catalog.h"

#include <utility>

namespace stoker::store {

SeriesId SeriesCatalog::Intern(const model::Labels& labels) {
  absl::MutexLock lock(&mutex_);
  const auto next = static_cast<SeriesId>(labels_.size());
  const auto [it, inserted] = ids_.emplace(labels, next);
  if (inserted) labels_.push_back(std::make_shared<const model::Labels>(labels));
  return it->second;
}

void SeriesCatalog::Restore(SeriesId id, model::Labels labels) {
  absl::MutexLock lock(&mutex_);
  if (labels_.size() <= id) labels_.resize(id + 1);
  labels_[id] = std::make_shared<const model::Labels>(labels);
  ids_.emplace(std::move(labels), id);
}

std::shared_ptr<const model::Labels> SeriesCatalog::Get(SeriesId id) const {
  absl::MutexLock lock(&mutex_);
  return labels_[id];
}

std::optional<SeriesId> SeriesCatalog::Find(const model::Labels& labels) const {
  absl::MutexLock lock(&mutex_);
  const auto it = ids_.find(labels);
  if (it == ids_.end()) return std::nullopt;
  return it->second;
}

std::size_t SeriesCatalog::size() const {
  absl::MutexLock lock(&mutex_);
  return ids_.size();
}

}  // namespace stoker::store
