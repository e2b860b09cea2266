#include "services/cli/record/progress.h"

#include <cstdio>

#include <fmt/format.h>
#include <unistd.h>

namespace stoker::cli {

Progress::Progress(bool quiet) : quiet_(quiet), terminal_(isatty(STDERR_FILENO) != 0) {}

void Progress::Show(const std::string& line) {
  if (quiet_ || !terminal_ || line == shown_) return;
  // Back to the start, and the rest of the old line away.
  fmt::print(stderr, "\r{}\033[K", line);
  std::fflush(stderr);
  shown_ = line;
}

void Progress::Clear() {
  if (shown_.empty()) return;
  fmt::print(stderr, "\r\033[K");
  std::fflush(stderr);
  shown_.clear();
}

void Progress::Say(const std::string& line) {
  if (quiet_) return;
  Clear();
  fmt::print(stderr, "stoker: {}\n", line);
}

}  // namespace stoker::cli
