#pragma once

#include <CLI/CLI.hpp>

namespace stoker::cli {

// Adds `stoker completion` and `stoker man`, which speak of all that `app` holds when they run;
// their exit status goes to `status`.
void AddHelpCommands(CLI::App& app, int& status);

}  // namespace stoker::cli
