#pragma once

#include <cstdio>

#include <CLI/CLI.hpp>

namespace stoker::cli {

enum class ColorMode { kAuto, kAlways, kNever };

// Adds --color=auto|always|never.
void AddColorOption(CLI::App& command, ColorMode& mode);

// Whether to colour what goes to `stream`: as the mode says; for kAuto never with NO_COLOR set
// (https://no-color.org), always with CLICOLOR_FORCE, else on a terminal that is not "dumb".
bool UseColor(ColorMode mode, std::FILE* stream);

}  // namespace stoker::cli
