#include "services/collector/ebpf/unwind/debug_section.h"

#include <cstring>

#include <elf.h>
#include <zlib.h>
#include <zstd.h>

#include "services/common/base/status.h"

#ifndef ELFCOMPRESS_ZSTD
#define ELFCOMPRESS_ZSTD 2
#endif

namespace stoker::ebpf::unwind {
namespace {

constexpr std::uint64_t kMaxRatio = 64;

bool Inflate(std::uint32_t type, std::string_view from, std::string& to) {
  if (type == ELFCOMPRESS_ZLIB) {
    uLongf size = to.size();
    return uncompress(reinterpret_cast<Bytef*>(to.data()), &size,
                      reinterpret_cast<const Bytef*>(from.data()), from.size()) == Z_OK &&
           size == to.size();
  }
  if (type == ELFCOMPRESS_ZSTD) {
    return ZSTD_decompress(to.data(), to.size(), from.data(), from.size()) == to.size();
  }
  return false;
}

}  // namespace

absl::StatusOr<std::string> ReadDebugSection(const elf::ByteSource& source,
                                             const elf::Section& section, std::uint64_t max_bytes) {
  if (section.size > max_bytes) {
    return ResourceExhausted("{} of {} bytes, where {} are allowed", section.name, section.size,
                             max_bytes);
  }
  STOKER_ASSIGN_OR_RETURN(std::string stored, source.Read(section.offset, section.size));
  if ((section.flags & SHF_COMPRESSED) == 0) return stored;
  Elf64_Chdr header;
  if (stored.size() < sizeof header) return InvalidArgument("{} is cut", section.name);
  std::memcpy(&header, stored.data(), sizeof header);
  if (header.ch_size > max_bytes || header.ch_size / kMaxRatio > stored.size()) {
    return ResourceExhausted("{} of {} bytes inflates to {}", section.name, stored.size(),
                             header.ch_size);
  }
  std::string inflated(header.ch_size, '\0');
  const std::string_view rest = std::string_view(stored).substr(sizeof header);
  if (!Inflate(header.ch_type, rest, inflated)) {
    return InvalidArgument("{} cannot be inflated", section.name);
  }
  return inflated;
}

}  // namespace stoker::ebpf::unwind
