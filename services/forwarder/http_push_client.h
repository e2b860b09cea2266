#pragma once

#include <memory>

#include <absl/status/statusor.h>

#include "services/common/config/components/pyroscope_write.h"
#include "services/forwarder/push_client.h"

namespace stoker::forwarder {

// A client with the endpoint's HTTP settings. UNIMPLEMENTED for a protocol that this build does not
// speak.
absl::StatusOr<std::unique_ptr<PushClient>> MakeHttpPushClient(
    const config::PyroscopeWrite::Endpoint& endpoint);

}  // namespace stoker::forwarder
