#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace stoker::elf {

// Reads little-endian numbers of bytes that may be anything. A read past the end gives 0 and fails
// the cursor for good, so that a run of reads is checked once. Borrows the bytes.
class Cursor {
 public:
  // Bytes that are nowhere are none somewhere: nullptr takes part in no arithmetic.
  explicit Cursor(std::string_view bytes, std::uint64_t position = 0)
      : begin_(bytes.empty() ? "" : bytes.data()), at_(begin_), end_(begin_ + bytes.size()) {
    Skip(position);
  }

  [[nodiscard]] bool ok() const { return !failed_; }
  // A failed cursor has nothing left.
  [[nodiscard]] bool empty() const { return at_ == end_; }
  [[nodiscard]] std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }
  // From the first of the bytes.
  [[nodiscard]] std::size_t position() const { return static_cast<std::size_t>(at_ - begin_); }

  void Fail() {
    failed_ = true;
    at_ = end_;
  }
  void Skip(std::uint64_t bytes) {
    if (bytes > left()) return Fail();
    at_ += bytes;
  }

  template <typename T>
  T Number() {
    T value = 0;
    if (left() < sizeof value) {
      Fail();
      return 0;
    }
    std::memcpy(&value, at_, sizeof value);
    at_ += sizeof value;
    return value;
  }
  std::uint8_t Byte() { return Number<std::uint8_t>(); }
  // A number of `bytes` bytes: 1 to 8.
  std::uint64_t NumberOf(unsigned bytes) {
    std::uint64_t value = 0;
    if (left() < bytes || bytes > sizeof value) {
      Fail();
      return 0;
    }
    std::memcpy(&value, at_, bytes);
    at_ += bytes;
    return value;
  }

  // LEB128: what lies past 64 bits is cut, more than ten bytes fail.
  std::uint64_t Unsigned() {
    const std::uint8_t first = Byte();
    if (first < 0x80) return first;
    std::uint64_t value = first & 0x7f;
    for (unsigned shift = 7; shift < 70; shift += 7) {
      const std::uint8_t byte = Byte();
      if (shift < 64) value |= std::uint64_t{byte & 0x7fU} << shift;
      if (byte < 0x80) return value;
    }
    Fail();
    return 0;
  }
  std::int64_t Signed() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
      const std::uint8_t byte = Byte();
      if (shift < 64) value |= std::uint64_t{byte & 0x7fU} << shift;
      if (byte >= 0x80) continue;
      if ((byte & 0x40) != 0 && shift + 7 < 64) value |= ~std::uint64_t{0} << (shift + 7);
      return static_cast<std::int64_t>(value);
    }
    Fail();
    return 0;
  }

  // The next `size` bytes, passed over.
  std::string_view Bytes(std::uint64_t size) {
    if (size > left()) {
      Fail();
      return {};
    }
    const std::string_view bytes(at_, static_cast<std::size_t>(size));
    at_ += size;
    return bytes;
  }
  // Up to a zero byte, which is passed over.
  std::string_view Text() {
    const void* zero = std::memchr(at_, 0, left());
    if (zero == nullptr) {
      Fail();
      return {};
    }
    const std::string_view text(at_,
                                static_cast<std::size_t>(static_cast<const char*>(zero) - at_));
    at_ += text.size() + 1;
    return text;
  }

 private:
  const char* begin_;
  const char* at_;
  const char* end_;
  bool failed_ = false;
};

}  // namespace stoker::elf
