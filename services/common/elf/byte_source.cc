#include "services/common/elf/byte_source.h"

#include <cerrno>
#include <cstring>

#include <sys/stat.h>
#include <unistd.h>

#include "services/common/base/status.h"

namespace stoker::elf {
namespace {

absl::Status OutOfRange(std::uint64_t offset, std::uint64_t wanted, std::uint64_t size) {
  return Error(absl::StatusCode::kOutOfRange, "{} bytes at offset {} do not lie in {} bytes",
               wanted, offset, size);
}

class FdSource final : public ByteSource {
 public:
  FdSource(int fd, std::uint64_t size) : fd_(fd), size_(size) {}

  [[nodiscard]] std::uint64_t size() const override { return size_; }

  absl::Status ReadAt(std::uint64_t offset, std::span<char> bytes) const override {
    if (!Contains(offset, bytes.size())) return OutOfRange(offset, bytes.size(), size_);
    while (!bytes.empty()) {
      const ssize_t got = pread(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return ErrnoError(errno, "pread");
      if (got == 0) return DataLoss("the file has become shorter than {} bytes", size_);
      bytes = bytes.subspan(static_cast<std::size_t>(got));
      offset += static_cast<std::uint64_t>(got);
    }
    return absl::OkStatus();
  }

 private:
  const int fd_;
  const std::uint64_t size_;
};

}  // namespace

bool ByteSource::Contains(std::uint64_t offset, std::uint64_t size) const {
  return offset <= this->size() && size <= this->size() - offset;
}

absl::StatusOr<std::string> ByteSource::Read(std::uint64_t offset, std::uint64_t size) const {
  if (!Contains(offset, size)) return OutOfRange(offset, size, this->size());
  std::string bytes(size, '\0');
  STOKER_RETURN_IF_ERROR(ReadAt(offset, bytes));
  return bytes;
}

absl::StatusOr<std::unique_ptr<ByteSource>> OpenFdSource(int fd) {
  struct stat file{};
  if (fstat(fd, &file) != 0) return ErrnoError(errno, "fstat");
  if (!S_ISREG(file.st_mode)) return FailedPrecondition("not a regular file");
  return std::make_unique<FdSource>(fd, static_cast<std::uint64_t>(file.st_size));
}

absl::Status MemorySource::ReadAt(std::uint64_t offset, std::span<char> bytes) const {
  if (!Contains(offset, bytes.size())) return OutOfRange(offset, bytes.size(), size());
  std::memcpy(bytes.data(), bytes_.data() + offset, bytes.size());
  return absl::OkStatus();
}

}  // namespace stoker::elf
