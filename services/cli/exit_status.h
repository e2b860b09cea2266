#pragma once

#include <array>
#include <string>
#include <string_view>

namespace stoker::cli {

// The exit statuses of every command; docs/reference/exit-status.md says the same.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitNotPermitted = 77;
inline constexpr int kExitInterrupted = 130;

struct ExitStatusText {
  int number;
  std::string_view meaning;
};
inline constexpr std::array<ExitStatusText, 5> kExitStatuses = {{
    {kExitOk, "Done: an ordered stop, a file written, nothing wrong."},
    {kExitFailure, "Failure, or findings: the message, or what was printed, says which."},
    {kExitUsage, "A wrong command line."},
    {kExitNotPermitted, "Not permitted: the message names the missing capabilities."},
    {kExitInterrupted, "Interrupted before there was a result."},
}};

// For the end of --help: "Exit status: 0 …".
std::string ExitStatusFooter();

}  // namespace stoker::cli
