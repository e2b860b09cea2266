#pragma once

#include <memory>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "services/common/http/client.h"

namespace stoker::cli {

// Asks the processes of one run folder over HTTP on their Unix sockets. Thread-safe.
class ProcessRequests {
 public:
  explicit ProcessRequests(std::string run_dir);

  // The answer of `process` ("forwarder"), whatever its status. An error when it does not answer
  // within 5 s.
  absl::StatusOr<http::Response> Send(const std::string& process, const std::string& method,
                                      const std::string& path) const;

  // POST /-/reload. INVALID_ARGUMENT with what a process that refuses says. One that is away is OK:
  // it reads its configuration when it starts.
  [[nodiscard]] absl::Status Reload(const std::string& process) const;

 private:
  const std::string run_dir_;
  const std::unique_ptr<http::Client> client_;
};

}  // namespace stoker::cli
