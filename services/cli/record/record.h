#pragma once

#include <optional>
#include <string>
#include <vector>

#include <absl/time/time.h>
#include <sys/types.h>

namespace stoker::cli {

// What `stoker record` is asked for: one of a process with its children, the whole host, or a
// command with its children.
struct RecordOptions {
  std::optional<pid_t> pid;
  bool all = false;
  std::vector<std::string> command;
  // Infinite: until the target ends.
  absl::Duration duration = absl::InfiniteDuration();
  // Samples a second of each CPU.
  int rate = 97;
  // Its ending says the format; "" for a name made of the target and the time.
  std::string output;
  bool quiet = false;
  // See BinarySearch.
  std::string bin_dir;
};

// Records once: starts the collector, the symbolizer and, for the whole host, discovery in a
// scratch folder, takes their profiles in the forwarder's place, and writes the file. Ctrl-C ends
// it early; the file is still written. Returns the exit status (services/cli/exit_status.h): 0 with
// a file.
int Record(const RecordOptions& options);

}  // namespace stoker::cli
