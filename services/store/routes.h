#pragma once

#include <functional>
#include <string>

#include "services/common/http/message.h"
#include "services/store/legacy_api.h"
#include "services/store/pusher.h"
#include "services/store/querier.h"

namespace stoker::store {

// Adds a handler of a method and a path.
using AddRoute = std::function<void(std::string method, std::string path, http::Handler handler)>;

// The public face of a store: Pyroscope's write and read API, readiness, build information and the
// page. All are borrowed.
void AddRoutes(Pusher& pusher, const Querier& querier, const LegacyApi& legacy,
               const AddRoute& add);

// GET /api/v1/diagnosis: what `stoker doctor` found, from the file at `path`; "" for none.
void AddDiagnosis(std::string path, const AddRoute& add);

}  // namespace stoker::store
