#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "services/common/http/message.h"

namespace stoker::http {

// The one HTTP server of all processes: HTTP/1.1 and, for connections that begin with its preface,
// HTTP/2 in the clear (h2c by prior knowledge, RFC 9113 §3.3), both into one Handler. A gRPC or
// Connect call is a request like any other. Why it is made so: docs/design/0001-http-server.md.
//
// One thread does all input and output; handlers run on a pool and may block.
class Server {
 public:
  struct Options {
    // "unix:/path/to.sock" or "host:port", port 0 for any.
    std::vector<std::string> addresses;
    // Named in errors as what would change a TCP address: "--http.listen".
    std::string address_flag;
    // Allows TCP addresses off the loopback without TLS.
    bool insecure = false;
    // A larger request is answered 413.
    std::size_t max_body_bytes = std::size_t{64} << 20;
    // All bodies together, received or being received, whose requests are not answered yet. Past
    // it a request is answered 503.
    std::size_t max_total_body_bytes = std::size_t{256} << 20;
    // A connection without a request for so long is closed, and one whose body takes so long.
    absl::Duration idle_timeout = absl::Minutes(5);
    std::size_t max_connections = 4096;
    int handler_threads = 4;
    // Requests that may wait for a handler thread; a further one is answered 503.
    std::size_t max_waiting = 512;
  };

  // ALREADY_EXISTS names the port in use and the flag.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const Options& options, Handler handler);

  // Closes all connections; handlers that run are waited for.
  virtual ~Server() = default;

  // Ends in order: no new connection, no further request on one; returns when those that were begun
  // are answered, at the latest after `grace`. Call it once.
  virtual void Drain(absl::Duration grace) = 0;

  // The bound port of each TCP address, in their order.
  [[nodiscard]] virtual const std::vector<int>& ports() const = 0;
};

}  // namespace stoker::http
