#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace stoker::pprof {

// Walks the fields of one protobuf message that a stranger sent. Unlike protozero's reader it
// neither throws nor asserts: damage ends the walk and shows in ok(). A field of another wire type
// than asked for reads as 0 or "" and is damage too. Groups, long gone from protobuf, are damage.
class WireReader {
 public:
  explicit WireReader(std::string_view message) : rest_(message) {}

  // Moves to the next field; false at the end and at damage.
  bool Next() {
    if (!ok_ || rest_.empty()) return false;
    std::uint64_t key = 0;
    ok_ = TakeVarint(rest_, key);
    field_ = static_cast<std::uint32_t>(key >> 3);
    type_ = static_cast<std::uint32_t>(key & 7);
    ok_ = ok_ && field_ != 0 && TakeValue();
    return ok_;
  }

  // Whether everything so far was sound. Check after the walk.
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] std::uint32_t field() const { return field_; }
  [[nodiscard]] bool is_bytes() const { return type_ == kBytes; }

  std::uint64_t Uint() {
    ok_ = ok_ && type_ == kVarint;
    return ok_ ? value_ : 0;
  }
  std::int64_t Int() { return static_cast<std::int64_t>(Uint()); }
  std::string_view Bytes() {
    ok_ = ok_ && type_ == kBytes;
    return ok_ ? bytes_ : std::string_view();
  }

  // Calls `use(number)` for the numbers of a repeated field, packed or a single one, until it
  // returns false.
  template <typename Use>
  void ForEachNumber(Use&& use) {
    if (type_ == kVarint) {
      use(value_);
      return;
    }
    std::string_view packed = Bytes();
    std::uint64_t value = 0;
    while (!packed.empty()) {
      ok_ = TakeVarint(packed, value);
      if (!ok_ || !use(value)) return;
    }
  }

  // Appends the numbers of a repeated field, packed or a single one, while `out` holds fewer than
  // `max_size`; false when it would hold more.
  template <typename Vector>
  bool AppendTo(Vector& out, std::size_t max_size) {
    using Value = typename Vector::value_type;
    if (type_ == kVarint) {
      out.push_back(static_cast<Value>(value_));
      return out.size() <= max_size;
    }
    std::string_view packed = Bytes();
    while (!packed.empty()) {
      std::uint64_t value = 0;
      ok_ = TakeVarint(packed, value);
      if (!ok_) return true;
      if (out.size() == max_size) return false;
      out.push_back(static_cast<Value>(value));
    }
    return true;
  }

 private:
  static constexpr std::uint32_t kVarint = 0;
  static constexpr std::uint32_t kFixed64 = 1;
  static constexpr std::uint32_t kBytes = 2;
  static constexpr std::uint32_t kFixed32 = 5;

  static bool TakeVarint(std::string_view& bytes, std::uint64_t& value) {
    // Most numbers of a profile take one byte or two.
    if (bytes.size() >= 2) {
      const auto first = static_cast<unsigned char>(bytes[0]);
      const auto second = static_cast<unsigned char>(bytes[1]);
      if (first < 0x80) {
        value = first;
        bytes.remove_prefix(1);
        return true;
      }
      if (second < 0x80) {
        value = static_cast<std::uint64_t>(first & 0x7f) | static_cast<std::uint64_t>(second) << 7;
        bytes.remove_prefix(2);
        return true;
      }
    }
    value = 0;
    for (std::size_t i = 0; i < bytes.size() && i < 10; ++i) {
      const auto byte = static_cast<unsigned char>(bytes[i]);
      value |= static_cast<std::uint64_t>(byte & 0x7f) << (7 * i);
      if (byte < 0x80) {
        bytes.remove_prefix(i + 1);
        return true;
      }
    }
    return false;
  }

  bool Skip(std::uint64_t size) {
    if (size > rest_.size()) return false;
    bytes_ = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return true;
  }

  bool TakeValue() {
    switch (type_) {
      case kVarint:
        return TakeVarint(rest_, value_);
      case kBytes: {
        std::uint64_t size = 0;
        return TakeVarint(rest_, size) && Skip(size);
      }
      case kFixed64:
        return Skip(8);
      case kFixed32:
        return Skip(4);
      default:
        return false;
    }
  }

  std::string_view rest_;
  bool ok_ = true;
  std::uint32_t field_ = 0;
  std::uint32_t type_ = kVarint;
  std::uint64_t value_ = 0;
  std::string_view bytes_;
};

}  // namespace stoker::pprof
