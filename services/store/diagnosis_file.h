#pragma once

#include <string>

#include <absl/status/statusor.h>

namespace stoker::store {

// What `stoker doctor` found on this host, as the supervisor keeps writing it to a file:
// {"checks":[{"id","level":"ok|warning|error","title","detail","remedy"}]}. Returns the same JSON
// with nothing but these fields, each a string. No file, or "" for `path`, gives no checks.
// INVALID_ARGUMENT for a file of another form or of more than 256 KiB or 200 checks.
absl::StatusOr<std::string> ReadDiagnosisFile(const std::string& path);

}  // namespace stoker::store
