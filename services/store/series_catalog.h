#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include <absl/synchronization/mutex.h>

#include "services/common/model/labels.h"
#include "services/store/part.h"

namespace stoker::store {

// All series, numbered. Thread-safe. A number means the same series as long as the process runs
// and, once a block of it is in the database, for ever.
class SeriesCatalog {
 public:
  // The number of a label set, a new one for a new set.
  SeriesId Intern(const model::Labels& labels);
  // A series that the database knows under `id`.
  void Restore(SeriesId id, model::Labels labels);

  // The labels of a number that Intern or Restore gave; shared, never changed.
  [[nodiscard]] std::shared_ptr<const model::Labels> Get(SeriesId id) const;
  [[nodiscard]] std::optional<SeriesId> Find(const model::Labels& labels) const;
  [[nodiscard]] std::size_t size() const;

 private:
  mutable absl::Mutex mutex_;
  std::map<model::Labels, SeriesId> ids_ ABSL_GUARDED_BY(mutex_);
  // Null for a number that is free.
  std::vector<std::shared_ptr<const model::Labels>> labels_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace stoker::store
