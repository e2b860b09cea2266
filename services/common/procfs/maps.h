#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stoker::procfs {

// An executable mapping of a process: a line of /proc/PID/maps.
struct ExecutableMapping {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  std::uint64_t file_offset = 0;
  // 0: no file.
  std::uint64_t inode = 0;
  // As the kernel writes it: a path (with " (deleted)" when it is), "[vdso]", or empty.
  std::string path;
  auto operator<=>(const ExecutableMapping&) const = default;
};

inline constexpr std::size_t kMaxExecutableMappings = 65'536;

// The executable mappings of a /proc/PID/maps, in its order, which is ascending. Lines that are not
// of that format are passed over; what follows the first kMaxExecutableMappings is left out. Source
// of the format: proc(5), Linux 6.1.
std::vector<ExecutableMapping> ParseMaps(std::string_view text);

}  // namespace stoker::procfs
