#include "services/cli/binaries.h"

#include <cstdlib>
#include <filesystem>
#include <sstream>

#include <unistd.h>

#include "services/common/base/status.h"

namespace stoker::cli {
namespace {

namespace fs = std::filesystem;

// In the build's output a binary lies in its service's folder:
// collector/ebpf/stoker-ebpf-collector.
constexpr int kSiblingDepth = 2;

bool IsExecutable(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error) && access(path.c_str(), X_OK) == 0;
}

std::string FindBelow(const fs::path& folder, const std::string& name, int depth) {
  if (IsExecutable(folder / name)) return folder / name;
  if (depth == 0) return {};
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (!entry.is_directory(error) || entry.path().extension() == ".runfiles") continue;
    if (std::string found = FindBelow(entry.path(), name, depth - 1); !found.empty()) return found;
  }
  return {};
}

}  // namespace

BinarySearch SystemBinarySearch(std::string bin_dir) {
  std::error_code error;
  const char* path = std::getenv("PATH");
  return {.bin_dir = std::move(bin_dir),
          .own_dir = fs::read_symlink("/proc/self/exe", error).parent_path(),
          .path = path == nullptr ? "" : path};
}

absl::StatusOr<std::string> FindBinary(const BinarySearch& search, const std::string& process) {
  const std::string name = "stoker-" + process;
  if (!search.bin_dir.empty()) {
    if (std::string found = FindBelow(search.bin_dir, name, kSiblingDepth); !found.empty()) {
      return found;
    }
    return NotFound("no {} in --bin-dir {}", name, search.bin_dir);
  }
  const fs::path own = search.own_dir;
  for (const fs::path& folder : {own, own.parent_path()}) {
    const int depth = folder == own ? 0 : kSiblingDepth;
    if (std::string found = FindBelow(folder, name, depth); !found.empty()) return found;
  }
  std::istringstream folders(search.path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (IsExecutable(fs::path(folder) / name)) return fs::path(folder) / name;
  }
  return NotFound("no {} beside {} nor in PATH: build it, or name its folder with --bin-dir", name,
                  search.own_dir);
}

}  // namespace stoker::cli
