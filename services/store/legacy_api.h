#pragma once

#include <string>

#include "services/common/base/clock.h"
#include "services/common/http/message.h"
#include "services/store/querier.h"

namespace stoker::store {

// Pyroscope's legacy read API over a Querier: GET /pyroscope/render, /pyroscope/render-diff and
// /pyroscope/label-values, with JSON answers. Thread-safe.
class LegacyApi {
 public:
  // Both are borrowed.
  LegacyApi(const Querier& querier, const Clock& clock) : querier_(querier), clock_(clock) {}

  // A flame graph with a timeline of `query`, `from`, `until`. An empty selector `{}` stands for
  // the one profile type that there is, else for process_cpu's.
  [[nodiscard]] http::Response Render(const http::Request& request) const;
  [[nodiscard]] http::Response RenderDiff(const http::Request& request) const;
  // The values of `label`; of __name__ the profile types.
  [[nodiscard]] http::Response LabelValues(const http::Request& request) const;

 private:
  const Querier& querier_;
  const Clock& clock_;
};

}  // namespace stoker::store
