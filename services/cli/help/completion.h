#pragma once

#include <string>

#include "services/cli/help/command_tree.h"

namespace stoker::cli {

// Scripts that complete the command line in a shell: commands, options and their values; files
// where a value may be any.
std::string BashCompletion(const CommandText& program);
std::string ZshCompletion(const CommandText& program);
std::string FishCompletion(const CommandText& program);

}  // namespace stoker::cli
