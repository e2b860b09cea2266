#pragma once

#include <string>

#include "services/cli/help/command_tree.h"

namespace stoker::cli {

// The manual page stoker(1) of the program, or stoker-COMMAND(1) where `command` is given, in
// roff's man macros.
std::string ManPage(const CommandText& program, const CommandText* command,
                    const std::string& version);

}  // namespace stoker::cli
