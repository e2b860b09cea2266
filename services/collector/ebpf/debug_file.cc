#include "services/collector/ebpf/debug_file.h"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <span>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <zlib.h>

#include "services/common/base/status.h"
#include "services/common/elf/byte_source.h"

namespace stoker::ebpf {
namespace {

constexpr std::string_view kFolder = "/usr/lib/debug";
constexpr std::size_t kChunkBytes = std::size_t{256} << 10;

std::string Hex(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return text;
}

}  // namespace

std::vector<DebugFilePlace> DebugFilePlaces(std::string_view path, std::string_view build_id,
                                            std::string_view debug_link) {
  std::vector<DebugFilePlace> places;
  if (build_id.size() > 1) {
    const std::string id = Hex(build_id);
    const std::string folder = fmt::format("{}/.build-id/{}", kFolder, id.substr(0, 2));
    places.push_back({fmt::format("{}/{}.debug", folder, id.substr(2)), false});
    places.push_back({fmt::format("{}/{}.debug", folder, id), false});
  }
  const std::size_t slash = path.rfind('/');
  if (debug_link.empty() || slash == std::string_view::npos) return places;
  const std::string_view folder = path.substr(0, slash);
  places.push_back({fmt::format("{}/{}", folder, debug_link), true});
  places.push_back({fmt::format("{}/.debug/{}", folder, debug_link), true});
  places.push_back({fmt::format("{}{}/{}", kFolder, folder, debug_link), true});
  return places;
}

absl::StatusOr<UniqueFd> OpenInRoot(int root, const std::string& path) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const UniqueFd place(
      static_cast<int>(syscall(SYS_openat2, root, path.c_str(), &how, sizeof how)));
  if (!place.valid()) return ErrnoError(errno, path);
  struct stat status{};
  if (fstat(place.get(), &status) != 0) return ErrnoError(errno, path);
  if (!S_ISREG(status.st_mode)) return NotFound("{} is no regular file", path);
  UniqueFd fd(open(fmt::format("/proc/self/fd/{}", place.get()).c_str(),
                   O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd.valid()) return ErrnoError(errno, path);
  return fd;
}

absl::StatusOr<std::uint32_t> FileCrc(int fd, std::uint64_t max_bytes) {
  STOKER_ASSIGN_OR_RETURN(const std::unique_ptr<elf::ByteSource> file, elf::OpenFdSource(fd));
  if (file->size() > max_bytes) {
    return ResourceExhausted("{} bytes where {} are allowed", file->size(), max_bytes);
  }
  std::vector<char> chunk(kChunkBytes);
  uLong crc = crc32(0, nullptr, 0);
  for (std::uint64_t offset = 0; offset < file->size();) {
    const std::span<char> bytes(chunk.data(),
                                std::min<std::uint64_t>(chunk.size(), file->size() - offset));
    STOKER_RETURN_IF_ERROR(file->ReadAt(offset, bytes));
    crc = crc32(crc, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size()));
    offset += bytes.size();
  }
  return static_cast<std::uint32_t>(crc);
}

}  // namespace stoker::ebpf
