#pragma once

#include <memory>

#include <absl/status/statusor.h>

#include "services/common/config/components/pyroscope_write.h"
#include "services/forwarder/push_client.h"

namespace stoker::forwarder {

// A client of an endpoint's HTTP settings, with a thread of its own. UNIMPLEMENTED for a protocol
// or a setting that it does not know.
absl::StatusOr<std::unique_ptr<PushClient>> MakeHttpPushClient(
    const config::PyroscopeWrite::Endpoint& endpoint);

}  // namespace stoker::forwarder
