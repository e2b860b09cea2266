#include "services/store/head_log.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <xxhash.h>

#include "services/common/base/status.h"

namespace stoker::store {
namespace {

struct RecordHead {
  std::uint32_t size = 0;
  std::uint32_t magic = 0;
  std::uint64_t checksum = 0;
};
constexpr std::uint32_t kMagic = 0x524b5453;  // "STKR"
static_assert(sizeof(RecordHead) == 16);

std::uint64_t Checksum(std::string_view record) {
  return XXH3_64bits(record.data(), record.size());
}

// The size of the whole records at the front of `bytes`.
absl::StatusOr<std::uint64_t> ReplayAll(
    std::string_view bytes, const std::function<absl::Status(std::string_view)>& replay) {
  std::uint64_t at = 0;
  while (bytes.size() - at >= sizeof(RecordHead)) {
    RecordHead head;
    std::memcpy(&head, bytes.data() + at, sizeof(head));
    if (head.magic != kMagic || head.size > bytes.size() - at - sizeof(head)) break;
    const std::string_view record = bytes.substr(at + sizeof(head), head.size);
    if (Checksum(record) != head.checksum) break;
    STOKER_RETURN_IF_ERROR(replay(record));
    at += sizeof(head) + head.size;
  }
  return at;
}

}  // namespace

absl::StatusOr<std::unique_ptr<HeadLog>> HeadLog::Open(
    const std::string& path, const std::function<absl::Status(std::string_view)>& replay) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
  if (!fd.valid()) return ErrnoError(errno, "open " + path);
  struct stat info = {};
  if (::fstat(fd.get(), &info) != 0) return ErrnoError(errno, "stat " + path);
  std::uint64_t whole = 0;
  if (info.st_size > 0) {
    const auto size = static_cast<std::size_t>(info.st_size);
    void* const bytes = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
    if (bytes == MAP_FAILED) return ErrnoError(errno, "map " + path);
    const auto replayed = ReplayAll({static_cast<const char*>(bytes), size}, replay);
    ::munmap(bytes, size);
    if (!replayed.ok()) return WithContext(replayed.status(), path);
    whole = *replayed;
  }
  if (::ftruncate(fd.get(), static_cast<off_t>(whole)) != 0) {
    return ErrnoError(errno, "truncate " + path);
  }
  return std::unique_ptr<HeadLog>(new HeadLog(path, std::move(fd), whole));
}

absl::Status HeadLog::Append(std::string_view record) {
  RecordHead head = {.size = static_cast<std::uint32_t>(record.size()),
                     .magic = kMagic,
                     .checksum = Checksum(record)};
  std::uint64_t written = 0;
  const std::uint64_t total = sizeof(head) + record.size();
  while (written < total) {
    iovec parts[2] = {{&head, sizeof(head)}, {const_cast<char*>(record.data()), record.size()}};
    const std::uint64_t in_head = std::min<std::uint64_t>(written, sizeof(head));
    parts[0] = {reinterpret_cast<char*>(&head) + in_head, sizeof(head) - in_head};
    parts[1].iov_base = const_cast<char*>(record.data()) + (written - in_head);
    parts[1].iov_len = record.size() - (written - in_head);
    const ssize_t n = ::pwritev(fd_.get(), parts, 2, static_cast<off_t>(size_ + written));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      const int error = n == 0 ? EIO : errno;
      // What was written of it is past size_: the next record or the next start overwrites it.
      return ErrnoError(error, "write " + path_);
    }
    written += static_cast<std::uint64_t>(n);
  }
  size_ += total;
  return absl::OkStatus();
}

absl::Status HeadLog::Sync() const {
  if (::fdatasync(fd_.get()) != 0) return ErrnoError(errno, "sync " + path_);
  return absl::OkStatus();
}

}  // namespace stoker::store
