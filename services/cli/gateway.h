#pragma once

#include <memory>
#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <nlohmann/json.hpp>

#include "services/cli/deployment.h"
#include "services/cli/reloader.h"
#include "services/common/http/message.h"

namespace stoker::cli {

// What `stoker run` answers over HTTP for all of its processes: /metrics (each metric with a label
// `process`), /-/ready, /-/healthy and /debug/state gather theirs, asked over their Unix sockets;
// /-/reload reloads all; /api/doctor is what `stoker doctor` finds.
class Gateway {
 public:
  // Listens on options.http_listen. ALREADY_EXISTS names the port and the flag. Borrows `reloader`.
  static absl::StatusOr<std::unique_ptr<Gateway>> Start(const RunOptions& options,
                                                        std::vector<std::string> processes,
                                                        Reloader& reloader);
  virtual ~Gateway() = default;

  // What the supervisor knows of its processes; shown in /debug/state.
  virtual void SetProcesses(nlohmann::json processes) = 0;

  // What `stoker doctor` found, as JSON: the answer to /api/doctor.
  virtual void SetDoctor(std::string checks) = 0;

  // The answers to /debug/state and /metrics.
  virtual http::Response State() = 0;
  virtual http::Response Metrics() = 0;
};

}  // namespace stoker::cli
