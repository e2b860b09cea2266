#pragma once

#include <string>

#include <absl/time/time.h>

#include "services/forwarder/push_client.h"

namespace stoker::forwarder {

// What an endpoint's answer means for the profile.
struct PushOutcome {
  enum class Kind {
    kSent,
    // Send it again.
    kRetry,
    // It will never be taken.
    kRefused,
    // Older than the far end takes: Pyroscope's ingestion window is one hour.
    kTooOld,
  };
  Kind kind = Kind::kSent;
  // For people; empty when sent.
  std::string message;
  // As the far end asks (Retry-After), else zero.
  absl::Duration retry_after;
  // Nobody answered: asking again costs the far end nothing.
  bool unreachable = false;
};

// Alloy's retry table, and Retry-After. `ingest`: only 200 is success, no Connect error body.
PushOutcome JudgeAnswer(const HttpAnswer& answer, bool ingest, bool retry_on_429);

}  // namespace stoker::forwarder
