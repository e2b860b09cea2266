#pragma once

#include <CLI/CLI.hpp>

namespace stoker::cli {

// Adds `stoker doctor` to the command line; its exit status goes to `status`.
void AddDoctorCommand(CLI::App& app, int& status);

}  // namespace stoker::cli
