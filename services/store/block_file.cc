#include "services/store/block_file.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>

#include "services/common/base/status.h"
#include "services/store/varint.h"

namespace stoker::store {
namespace {

constexpr std::string_view kMagic = "STKBLK01";
// A section of more than this is damage, whatever its table says.
constexpr std::uint64_t kMaxSectionBytes = std::uint64_t{1} << 30;
constexpr int kZstdLevel = 3;

// The end of the file.
struct Trailer {
  std::uint64_t table_offset = 0;
  std::uint64_t table_checksum = 0;
  char magic[8] = {};
};
static_assert(sizeof(Trailer) == 24);

std::uint64_t Checksum(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

absl::Status WriteAll(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoError(errno, "write " + path);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return absl::OkStatus();
}

absl::Status SyncFolderOf(const std::string& path) {
  const std::string folder = path.substr(0, path.rfind('/'));
  const UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid() || ::fsync(fd.get()) != 0) return ErrnoError(errno, "sync " + folder);
  return absl::OkStatus();
}

absl::Status WriteSynced(const std::string& path, std::string_view bytes) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640));
  if (!fd.valid()) return ErrnoError(errno, "make " + path);
  STOKER_RETURN_IF_ERROR(WriteAll(fd.get(), bytes, path));
  if (::fdatasync(fd.get()) != 0) return ErrnoError(errno, "sync " + path);
  return absl::OkStatus();
}

}  // namespace

std::uint32_t BlockFileWriter::Add(std::string_view content) {
  if (bytes_.empty()) bytes_ = kMagic;
  const std::size_t start = bytes_.size();
  bytes_.resize(start + ZSTD_compressBound(content.size()));
  const std::size_t size = ZSTD_compress(bytes_.data() + start, bytes_.size() - start,
                                         content.data(), content.size(), kZstdLevel);
  bytes_.resize(start + size);
  PutVarint(size, table_);
  PutVarint(content.size(), table_);
  PutVarint(Checksum(content), table_);
  return sections_++;
}

absl::StatusOr<std::uint64_t> BlockFileWriter::Write(const std::string& path) && {
  std::string table;
  PutVarint(sections_, table);
  table += table_;
  Trailer trailer = {.table_offset = bytes_.size(), .table_checksum = Checksum(table)};
  std::memcpy(trailer.magic, kMagic.data(), sizeof(trailer.magic));
  bytes_ += table;
  bytes_.append(reinterpret_cast<const char*>(&trailer), sizeof(trailer));
  const std::string unfinished = path + ".tmp";
  STOKER_RETURN_IF_ERROR(WriteSynced(unfinished, bytes_));
  if (::rename(unfinished.c_str(), path.c_str()) != 0) return ErrnoError(errno, "rename " + path);
  STOKER_RETURN_IF_ERROR(SyncFolderOf(path));
  return bytes_.size();
}

absl::StatusOr<std::unique_ptr<BlockFile>> BlockFile::Open(const std::string& path) {
  std::unique_ptr<BlockFile> file(new BlockFile());
  file->path_ = path;
  file->fd_.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file->fd_.valid()) return ErrnoError(errno, "open " + path);
  struct stat info = {};
  if (::fstat(file->fd_.get(), &info) != 0) return ErrnoError(errno, "stat " + path);
  file->size_ = static_cast<std::uint64_t>(info.st_size);
  STOKER_RETURN_IF_ERROR(file->ReadTable());
  return file;
}

absl::Status BlockFile::ReadTable() {
  absl::Status damaged = DataLoss("{}: not a finished block", path_);
  Trailer trailer;
  if (size_ < kMagic.size() + sizeof(trailer)) return damaged;
  STOKER_ASSIGN_OR_RETURN(const std::string end, ReadAt(size_ - sizeof(trailer), sizeof(trailer)));
  std::memcpy(&trailer, end.data(), sizeof(trailer));
  const std::uint64_t limit = size_ - sizeof(trailer);
  if (std::string_view(trailer.magic, sizeof(trailer.magic)) != kMagic ||
      trailer.table_offset > limit) {
    return damaged;
  }
  STOKER_ASSIGN_OR_RETURN(const std::string table,
                          ReadAt(trailer.table_offset, limit - trailer.table_offset));
  if (Checksum(table) != trailer.table_checksum) return damaged;
  VarintReader reader(table);
  const std::uint32_t count = reader.GetBelow(table.size());
  std::uint64_t offset = kMagic.size();
  for (std::uint32_t n = 0; n < count; ++n) {
    Section section = {.offset = offset};
    section.compressed_size = reader.Get();
    section.size = reader.Get();
    section.checksum = reader.Get();
    if (!reader.ok() || section.compressed_size > trailer.table_offset - offset ||
        section.size > kMaxSectionBytes) {
      return damaged;
    }
    offset += section.compressed_size;
    sections_.push_back(section);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> BlockFile::Read(std::size_t number) const {
  if (number >= sections_.size()) return DataLoss("{}: no section {}", path_, number);
  const Section& section = sections_[number];
  STOKER_ASSIGN_OR_RETURN(const std::string compressed,
                          ReadAt(section.offset, section.compressed_size));
  std::string content(section.size, '\0');
  const std::size_t size =
      ZSTD_decompress(content.data(), content.size(), compressed.data(), compressed.size());
  if (ZSTD_isError(size) != 0 || size != content.size() || Checksum(content) != section.checksum) {
    return DataLoss("{}: section {} is damaged", path_, number);
  }
  return content;
}

absl::StatusOr<std::string> BlockFile::ReadAt(std::uint64_t offset, std::uint64_t size) const {
  std::string bytes(size, '\0');
  std::uint64_t done = 0;
  while (done < size) {
    const ssize_t n =
        ::pread(fd_.get(), bytes.data() + done, size - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoError(errno, "read " + path_);
    if (n == 0) return DataLoss("{}: shorter than its table says", path_);
    done += static_cast<std::uint64_t>(n);
  }
  return bytes;
}

}  // namespace stoker::store
