#pragma once

#include <string>

#include "services/common/http/message.h"
#include "services/store/add_route.h"
#include "services/store/legacy_api.h"
#include "services/store/pusher.h"
#include "services/store/querier.h"

namespace stoker::store {

// The public face of a store: Pyroscope's write and read API, readiness and the page. All are
// borrowed.
void AddRoutes(Pusher& pusher, const Querier& querier, const LegacyApi& legacy,
               const AddRoute& add);

// GET /api/v1/diagnosis: what `stoker doctor` found, from the file at `path`; "" for none.
void AddDiagnosis(std::string path, const AddRoute& add);

}  // namespace stoker::store
