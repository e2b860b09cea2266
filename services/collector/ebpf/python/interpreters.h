#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace stoker::ebpf {

// A Python of this machine, for tests.
struct Interpreter {
  std::string path;
  // 0x030b is 3.11.
  std::uint16_t version = 0;
};

// Of CPython 3.8 and later: Debian's, pyenv's, and what deploy/dev/setup.sh has put into the cache.
// Ascending by version.
std::vector<Interpreter> FindInterpreters();

// What a command of the shell prints.
std::string RunShell(const std::string& command);

}  // namespace stoker::ebpf
