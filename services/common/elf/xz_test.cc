#include "services/common/elf/xz.h"

#include <string>

#include <gtest/gtest.h>
#include <lzma.h>

namespace stoker::elf {
namespace {

std::string Pack(const std::string& bytes) {
  std::string packed(lzma_stream_buffer_bound(bytes.size()), '\0');
  std::size_t size = 0;
  const lzma_ret result = lzma_easy_buffer_encode(
      6, LZMA_CHECK_CRC32, nullptr, reinterpret_cast<const std::uint8_t*>(bytes.data()),
      bytes.size(), reinterpret_cast<std::uint8_t*>(packed.data()), &size, packed.size());
  EXPECT_EQ(result, LZMA_OK);
  packed.resize(size);
  return packed;
}

// What was packed comes back; more than is allowed is refused, also where little stands for much.
TEST(XzTest, Inflates) {
  const std::string bytes(5'000'000, 'x');
  const std::string packed = Pack(bytes);
  EXPECT_LT(packed.size(), 10'000U);
  EXPECT_EQ(*InflateXz(packed, bytes.size()), bytes);
  EXPECT_EQ(InflateXz(packed, bytes.size() / 2).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(*InflateXz(Pack(""), 0), "");
}

// A stream that is cut, or has another byte anywhere, is refused.
TEST(XzTest, Damage) {
  const std::string packed = Pack("the symbols that .dynsym lacks");
  for (std::size_t i = 0; i < packed.size(); ++i) {
    EXPECT_FALSE(InflateXz(packed.substr(0, i), 1000).ok()) << i;
    std::string damaged = packed;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    EXPECT_FALSE(InflateXz(damaged, 1000).ok()) << i;
  }
}

}  // namespace
}  // namespace stoker::elf
