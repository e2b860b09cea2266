#pragma once

#include <absl/time/time.h>

#include "services/common/http/message.h"

namespace stoker::http {

// How long the sender of an answer wants to be left alone: its Retry-After in seconds, or as a
// date, which its own Date is the measure of (RFC 9110, 10.2.3). Zero where it says nothing of the
// kind.
absl::Duration RetryAfter(const Headers& headers);

}  // namespace stoker::http
