#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace stoker::store {

// Little-endian base 128, as protobuf has it.
inline void PutVarint(std::uint64_t value, std::string& out) {
  while (value >= 0x80) {
    out += static_cast<char>(value | 0x80);
    value >>= 7;
  }
  out += static_cast<char>(value);
}

// For numbers that may be negative: small ones of either sign are short.
inline void PutSigned(std::int64_t value, std::string& out) {
  PutVarint(static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63), out);
}

// Reads what the Put functions wrote. Past the end or at damage it reads zeros and ok() is false.
class VarintReader {
 public:
  explicit VarintReader(std::string_view bytes) : bytes_(bytes) {}

  std::uint64_t Get() {
    // Nearly all numbers take one byte.
    if (at_ < bytes_.size() && static_cast<unsigned char>(bytes_[at_]) < 0x80) {
      return static_cast<unsigned char>(bytes_[at_++]);
    }
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && at_ < bytes_.size(); shift += 7) {
      const auto byte = static_cast<unsigned char>(bytes_[at_++]);
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    ok_ = false;
    return 0;
  }

  std::int64_t GetSigned() {
    const std::uint64_t value = Get();
    return static_cast<std::int64_t>(value >> 1 ^ (~(value & 1) + 1));
  }

  // A number below `limit`.
  std::uint32_t GetBelow(std::uint64_t limit) {
    const std::uint64_t value = Get();
    if (value >= limit) ok_ = false;
    return ok_ ? static_cast<std::uint32_t>(value) : 0;
  }

  std::string_view GetBytes(std::size_t size) {
    if (size > bytes_.size() - at_) ok_ = false;
    if (!ok_) return {};
    at_ += size;
    return bytes_.substr(at_ - size, size);
  }

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] std::size_t left() const { return bytes_.size() - at_; }

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

}  // namespace stoker::store
