#include "services/common/elf/section_bytes.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include <elf.h>
#include <zlib.h>
#include <zstd.h>

#include "services/common/base/status.h"

#ifndef ELFCOMPRESS_ZSTD
#define ELFCOMPRESS_ZSTD 2
#endif

namespace stoker::elf {
namespace {

constexpr std::size_t kChunkBytes = std::size_t{256} << 10;
// zlib makes no more than 1032 bytes of one.
constexpr std::uint64_t kMaxRatio = 1032;

// What stands before compressed bytes.
struct Compression {
  std::uint32_t type = 0;
  std::uint64_t size = 0;
  std::uint64_t header_bytes = 0;
};

template <typename Header>
absl::StatusOr<Compression> ReadHeader(const ByteSource& source, const Section& section) {
  Header header;
  if (section.size < sizeof header) return InvalidArgument("{} is cut", section.name);
  STOKER_RETURN_IF_ERROR(
      source.ReadAt(section.offset, {reinterpret_cast<char*>(&header), sizeof header}));
  return Compression{header.ch_type, header.ch_size, sizeof header};
}

// "ZLIB" and the size, big endian.
absl::StatusOr<Compression> ReadGnuHeader(const ByteSource& source, const Section& section) {
  char header[12];
  if (section.size < sizeof header) return InvalidArgument("{} is cut", section.name);
  STOKER_RETURN_IF_ERROR(source.ReadAt(section.offset, header));
  if (std::memcmp(header, "ZLIB", 4) != 0) return InvalidArgument("{} is no zlib", section.name);
  std::uint64_t size = 0;
  for (std::size_t i = 4; i < sizeof header; ++i) {
    size = size << 8 | static_cast<unsigned char>(header[i]);
  }
  return Compression{ELFCOMPRESS_ZLIB, size, sizeof header};
}

// Hands the stored bytes on in chunks.
class StoredBytes {
 public:
  StoredBytes(const ByteSource& source, std::uint64_t offset, std::uint64_t size)
      : source_(source), offset_(offset), left_(size), chunk_(kChunkBytes) {}

  // Empty at the end.
  absl::StatusOr<std::span<char>> Next() {
    const std::span<char> bytes(chunk_.data(), std::min<std::uint64_t>(left_, chunk_.size()));
    STOKER_RETURN_IF_ERROR(source_.ReadAt(offset_, bytes));
    offset_ += bytes.size();
    left_ -= bytes.size();
    return bytes;
  }

 private:
  const ByteSource& source_;
  std::uint64_t offset_;
  std::uint64_t left_;
  std::vector<char> chunk_;
};

// True when all of `to` was filled.
absl::StatusOr<bool> InflateZlib(StoredBytes& from, std::string& to) {
  z_stream stream{};
  if (inflateInit(&stream) != Z_OK) return absl::ResourceExhaustedError("zlib has no memory");
  const std::unique_ptr<z_stream, int (*)(z_stream*)> end(&stream, inflateEnd);
  std::size_t written = 0;
  int result = Z_OK;
  while (result == Z_OK) {
    if (stream.avail_in == 0) {
      STOKER_ASSIGN_OR_RETURN(const std::span<char> bytes, from.Next());
      if (bytes.empty()) break;
      stream.next_in = reinterpret_cast<Bytef*>(bytes.data());
      stream.avail_in = static_cast<uInt>(bytes.size());
    }
    const std::size_t room = std::min<std::size_t>(to.size() - written, UINT32_MAX);
    stream.next_out = reinterpret_cast<Bytef*>(to.data() + written);
    stream.avail_out = static_cast<uInt>(room);
    result = inflate(&stream, Z_NO_FLUSH);
    written += room - stream.avail_out;
  }
  return result == Z_STREAM_END && written == to.size();
}

absl::StatusOr<bool> InflateZstd(StoredBytes& from, std::string& to) {
  const std::unique_ptr<ZSTD_DStream, std::size_t (*)(ZSTD_DStream*)> stream(ZSTD_createDStream(),
                                                                             ZSTD_freeDStream);
  if (stream == nullptr) return absl::ResourceExhaustedError("zstd has no memory");
  ZSTD_outBuffer out = {to.data(), to.size(), 0};
  while (true) {
    STOKER_ASSIGN_OR_RETURN(const std::span<char> bytes, from.Next());
    if (bytes.empty()) break;
    ZSTD_inBuffer in = {bytes.data(), bytes.size(), 0};
    while (in.pos < in.size) {
      const std::size_t before = in.pos + out.pos;
      if (ZSTD_isError(ZSTD_decompressStream(stream.get(), &out, &in)) != 0) return false;
      if (in.pos + out.pos == before) return false;
    }
  }
  return out.pos == to.size();
}

}  // namespace

absl::StatusOr<std::string> ReadSectionBytes(const ByteSource& source, const Section& section,
                                             std::uint8_t elf_class, std::uint64_t max_bytes) {
  const bool compressed = (section.flags & SHF_COMPRESSED) != 0;
  const bool gnu = !compressed && section.name.starts_with(".zdebug");
  Compression compression = {.size = section.size};
  if (gnu) {
    STOKER_ASSIGN_OR_RETURN(compression, ReadGnuHeader(source, section));
  } else if (compressed && elf_class == ELFCLASS32) {
    STOKER_ASSIGN_OR_RETURN(compression, ReadHeader<Elf32_Chdr>(source, section));
  } else if (compressed) {
    STOKER_ASSIGN_OR_RETURN(compression, ReadHeader<Elf64_Chdr>(source, section));
  }
  if (compression.size > max_bytes) {
    return ResourceExhausted("{} has {} bytes where {} are allowed", section.name, compression.size,
                             max_bytes);
  }
  if (!compressed && !gnu) return source.Read(section.offset, section.size);
  if (compression.type == ELFCOMPRESS_ZLIB && compression.size / kMaxRatio > section.size) {
    return InvalidArgument("{} of {} bytes cannot hold {}", section.name, section.size,
                           compression.size);
  }
  std::string bytes(compression.size, '\0');
  StoredBytes stored(source, section.offset + compression.header_bytes,
                     section.size - compression.header_bytes);
  absl::StatusOr<bool> whole = false;
  if (compression.type == ELFCOMPRESS_ZLIB) whole = InflateZlib(stored, bytes);
  if (compression.type == ELFCOMPRESS_ZSTD) whole = InflateZstd(stored, bytes);
  STOKER_RETURN_IF_ERROR(whole.status());
  if (!*whole) return InvalidArgument("{} cannot be inflated", section.name);
  return bytes;
}

}  // namespace stoker::elf
