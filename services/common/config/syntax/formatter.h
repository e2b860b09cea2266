#pragma once

#include <string>

#include <absl/status/statusor.h>

#include "services/common/config/syntax/source.h"

namespace stoker::config {

// The text of a configuration file in canonical form, as `stoker fmt` writes it: tabs, a statement
// a line, `=` and trailing comments aligned in runs of lines, `{ }` for an empty block, at most one
// blank line between statements. Comments stay; so do the line breaks inside lists and objects.
// What is formatted already does not change. INVALID_ARGUMENT with rendered diagnostics for a file
// that does not parse.
absl::StatusOr<std::string> FormatFile(const SourceFile& file);

}  // namespace stoker::config
