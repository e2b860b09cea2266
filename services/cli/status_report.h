#pragma once

#include <string>

#include <nlohmann/json.hpp>

namespace stoker::cli {

// What `stoker status` tells, from what `stoker run` answers on /debug/state:
// {
//   "version", "node", "healthy": bool,
//   "configuration": {"hash", "last_load_successful", "last_load_at", "last_load_error"},
//   "processes": [{"name", "state", "pid", "restarts", "last_end", "config_hash"}],
//   "components": [{"id", "health", "processes": [..], "message", "detail"}]
// }
// A component that several processes run is one entry, as healthy as the worst says. "detail": its
// targets, samples and queues. A process that does not answer has the state "away".
nlohmann::ordered_json MakeStatusReport(const nlohmann::json& state);

// The report for people: a headline, what is wrong, then tables.
std::string StatusText(const nlohmann::ordered_json& report);

}  // namespace stoker::cli
