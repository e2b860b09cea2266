#include "services/cli/exit_status.h"

#include <fmt/format.h>

namespace stoker::cli {

std::string ExitStatusFooter() {
  std::string text = "Exit status:";
  for (const ExitStatusText& status : kExitStatuses) {
    text += fmt::format("\n  {:<4} {}", status.number, status.meaning);
  }
  return text;
}

}  // namespace stoker::cli
