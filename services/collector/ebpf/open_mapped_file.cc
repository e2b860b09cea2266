#include "services/collector/ebpf/open_mapped_file.h"

#include <cerrno>
#include <string>

#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "services/common/base/status.h"

namespace stoker::ebpf {
namespace {

// A place in the file tree: neither a device's driver nor a FIFO notices.
UniqueFd OpenPlace(std::uint32_t pid, const procfs::ExecutableMapping& mapping) {
  const std::string link =
      fmt::format("/proc/{}/map_files/{:x}-{:x}", pid, mapping.start, mapping.end);
  UniqueFd place(open(link.c_str(), O_PATH | O_CLOEXEC));
  if (place.valid()) return place;
  const UniqueFd root(
      open(fmt::format("/proc/{}/root", pid).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root.valid()) return {};
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  return UniqueFd(
      static_cast<int>(syscall(SYS_openat2, root.get(), mapping.path.c_str(), &how, sizeof(how))));
}

}  // namespace

absl::StatusOr<UniqueFd> OpenMappedFile(std::uint32_t pid,
                                        const procfs::ExecutableMapping& mapping) {
  const UniqueFd place = OpenPlace(pid, mapping);
  if (!place.valid()) return ErrnoError(errno, "open");
  struct stat status{};
  if (fstat(place.get(), &status) != 0) return ErrnoError(errno, "stat");
  if (!S_ISREG(status.st_mode)) return FailedPrecondition("not a regular file");
  UniqueFd fd(open(fmt::format("/proc/self/fd/{}", place.get()).c_str(),
                   O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd.valid()) return ErrnoError(errno, "open");
  return fd;
}

absl::StatusOr<UniqueFd> OpenVdso() {
  const auto* header = reinterpret_cast<const Elf64_Ehdr*>(getauxval(AT_SYSINFO_EHDR));
  if (header == nullptr) return NotFound("the kernel has no vdso");
  // The section headers are its end.
  const std::size_t size = header->e_shoff + std::size_t{header->e_shnum} * header->e_shentsize;
  UniqueFd fd(memfd_create("vdso", MFD_CLOEXEC));
  if (!fd.valid() || write(fd.get(), header, size) != static_cast<ssize_t>(size)) {
    return ErrnoError(errno, "copy the vdso");
  }
  return fd;
}

}  // namespace stoker::ebpf
