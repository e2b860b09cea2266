#include "services/common/elf/xz.h"

#include <algorithm>
#include <memory>

#include <lzma.h>

#include "services/common/base/status.h"

namespace stoker::elf {
namespace {

constexpr std::uint64_t kMaxMemoryBytes = std::uint64_t{128} << 20;
constexpr std::size_t kStepBytes = std::size_t{1} << 20;

}  // namespace

absl::StatusOr<std::string> InflateXz(std::string_view bytes, std::uint64_t max_bytes) {
  lzma_stream stream = LZMA_STREAM_INIT;
  const std::unique_ptr<lzma_stream, void (*)(lzma_stream*)> end(&stream, lzma_end);
  if (lzma_stream_decoder(&stream, kMaxMemoryBytes, 0) != LZMA_OK) {
    return absl::ResourceExhaustedError("liblzma has no memory");
  }
  stream.next_in = reinterpret_cast<const std::uint8_t*>(bytes.data());
  stream.avail_in = bytes.size();
  std::string inflated;
  lzma_ret result = LZMA_OK;
  while (result == LZMA_OK) {
    const std::size_t before = inflated.size();
    if (before > max_bytes) break;
    inflated.resize(before + kStepBytes);
    stream.next_out = reinterpret_cast<std::uint8_t*>(inflated.data() + before);
    stream.avail_out = kStepBytes;
    result = lzma_code(&stream, LZMA_FINISH);
    inflated.resize(before + kStepBytes - stream.avail_out);
  }
  if (result == LZMA_MEMLIMIT_ERROR || inflated.size() > max_bytes) {
    return ResourceExhausted("{} bytes of xz inflate to more than is allowed", bytes.size());
  }
  if (result != LZMA_STREAM_END) return InvalidArgument("the xz stream is damaged");
  return inflated;
}

}  // namespace stoker::elf
