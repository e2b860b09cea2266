#pragma once

#include <functional>
#include <string>

#include <absl/status/status.h>
#include <absl/time/time.h>

#include "services/common/http/message.h"

namespace stoker::forwarder {

// A POST, complete but for what the endpoint's client settings add (authorization).
struct HttpPost {
  std::string url;
  http::Headers headers;
  std::string body;
  // For the whole exchange.
  absl::Duration timeout = absl::Seconds(10);
};

struct HttpAnswer {
  // Not OK: no answer came. DEADLINE_EXCEEDED or UNAVAILABLE.
  absl::Status transport;
  int status = 0;
  http::Headers headers;
  // Of a failure; may be cut.
  std::string body;
};

// Sends to one endpoint. A test plays the far end.
class PushClient {
 public:
  // Requests that still run are given up; their `done` may still be called, before this returns.
  virtual ~PushClient() = default;

  // Never blocks. `done` is called once, on any thread.
  virtual void Post(HttpPost post, std::function<void(HttpAnswer)> done) = 0;
};

}  // namespace stoker::forwarder
