#include "services/common/pprof/gzip.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>

#include <libdeflate.h>

#include "services/common/base/status.h"

namespace stoker::pprof {
namespace {

struct FreeCompressor {
  void operator()(libdeflate_compressor* c) const { libdeflate_free_compressor(c); }
};
struct FreeDecompressor {
  void operator()(libdeflate_decompressor* d) const { libdeflate_free_decompressor(d); }
};

// The length that the last member's trailer promises: a hint only, the sender chose it.
std::size_t PromisedSize(std::string_view bytes) {
  if (bytes.size() < 18) return 0;
  std::uint32_t size = 0;
  std::memcpy(&size, bytes.data() + bytes.size() - 4, 4);
  // Deflate gains at most a factor of 1032.
  return std::min<std::size_t>(size, bytes.size() * 1032);
}

}  // namespace

bool IsGzip(std::string_view bytes) {
  return bytes.size() >= 2 && bytes[0] == '\x1f' && bytes[1] == '\x8b';
}

std::string Gzip(std::string_view bytes, int level) {
  const std::unique_ptr<libdeflate_compressor, FreeCompressor> compressor(
      libdeflate_alloc_compressor(level));
  std::string out(libdeflate_gzip_compress_bound(compressor.get(), bytes.size()), '\0');
  out.resize(libdeflate_gzip_compress(compressor.get(), bytes.data(), bytes.size(), out.data(),
                                      out.size()));
  return out;
}

absl::StatusOr<std::string> Gunzip(std::string_view bytes, std::size_t max_bytes) {
  const std::unique_ptr<libdeflate_decompressor, FreeDecompressor> decompressor(
      libdeflate_alloc_decompressor());
  std::string out(std::min(max_bytes, std::max<std::size_t>(PromisedSize(bytes), 4096)), '\0');
  std::size_t filled = 0;
  while (!bytes.empty()) {
    std::size_t in = 0;
    std::size_t written = 0;
    const libdeflate_result result =
        libdeflate_gzip_decompress_ex(decompressor.get(), bytes.data(), bytes.size(),
                                      out.data() + filled, out.size() - filled, &in, &written);
    if (result == LIBDEFLATE_SUCCESS) {
      bytes.remove_prefix(in);
      filled += written;
    } else if (result != LIBDEFLATE_INSUFFICIENT_SPACE) {
      return InvalidArgument("gzip: damaged after {} bytes of content", filled);
    } else if (out.size() == max_bytes) {
      return ResourceExhausted("gzip: more than {} bytes of content", max_bytes);
    } else {
      out.resize(std::min(max_bytes, out.size() * 2));
    }
  }
  out.resize(filled);
  return out;
}

}  // namespace stoker::pprof
