#pragma once

#include <CLI/CLI.hpp>

namespace stoker::cli {

// Adds `stoker record` to the command line; its exit status goes to `status`.
void AddRecordCommand(CLI::App& app, int& status);

}  // namespace stoker::cli
