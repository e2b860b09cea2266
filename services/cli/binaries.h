#pragma once

#include <string>
#include <vector>

#include <absl/status/statusor.h>

namespace stoker::cli {

// Where to look for the binaries of processes, in order: `--bin-dir`; the folder of this program
// and its siblings below the same parent (an installation, or the build's output); PATH.
struct BinarySearch {
  // "" where none was given.
  std::string bin_dir;
  // The folder of this program.
  std::string own_dir;
  // The environment's PATH.
  std::string path;
};

BinarySearch SystemBinarySearch(std::string bin_dir);

// The executable "stoker-<process>". NOT_FOUND lists where it was looked for.
absl::StatusOr<std::string> FindBinary(const BinarySearch& search, const std::string& process);

}  // namespace stoker::cli
