#include "services/cli/record/scratch_folder.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include <sys/stat.h>

#include "services/common/base/status.h"

namespace stoker::cli {

absl::StatusOr<std::unique_ptr<ScratchFolder>> ScratchFolder::Make() {
  // Not TMPDIR: a socket's path has 107 bytes.
  std::string path = "/tmp/stoker-record-XXXXXX";
  if (mkdtemp(path.data()) == nullptr) return ErrnoError(errno, "create " + path);
  std::unique_ptr<ScratchFolder> folder(new ScratchFolder(path));
  if (chmod(path.c_str(), 0711) != 0) return ErrnoError(errno, "chmod " + path);
  return folder;
}

ScratchFolder::~ScratchFolder() {
  std::error_code error;
  std::filesystem::remove_all(path_, error);
}

}  // namespace stoker::cli
