#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace stoker::ebpf::unwind {

// Writes call frame information by hand, as .eh_frame or .debug_frame, for tests.
class FakeCfi {
 public:
  explicit FakeCfi(bool is_debug_frame = false) : is_debug_frame_(is_debug_frame) {}

  // `data`: what follows the return register: the augmentation's bytes with their size, then
  // instructions. Factors are 1 and -8, the return address is register `return_register`. Returns
  // the entry's offset, which Fde takes.
  std::size_t Cie(std::string_view augmentation, std::string_view data,
                  std::uint8_t return_register = 16) {
    std::string body = Word(is_debug_frame_ ? 0xffff'ffff : 0);
    body += '\1';
    body += augmentation;
    body += '\0';
    body += '\1';
    body += '\x78';
    body += static_cast<char>(return_register);
    body += data;
    return Add(body);
  }

  // Absolute addresses of eight bytes; `instructions` begin with what the CIE's augmentation wants.
  void Fde(std::size_t cie, std::uint64_t begin, std::uint64_t size,
           std::string_view instructions) {
    const std::size_t id_at = bytes_.size() + 4;
    std::string body = Word(static_cast<std::uint32_t>(is_debug_frame_ ? cie : id_at - cie));
    body += Long(begin);
    body += Long(size);
    body += instructions;
    Add(body);
  }

  // Any bytes as an entry with its length.
  std::size_t Add(std::string body) {
    const std::size_t at = bytes_.size();
    while (body.size() % 8 != 4) body += '\0';
    bytes_ += Word(static_cast<std::uint32_t>(body.size())) + body;
    return at;
  }

  [[nodiscard]] const std::string& bytes() const { return bytes_; }

  static std::string Word(std::uint32_t value) { return Bytes(value); }
  static std::string Long(std::uint64_t value) { return Bytes(value); }

 private:
  template <typename T>
  static std::string Bytes(T value) {
    std::string bytes(sizeof value, '\0');
    std::memcpy(bytes.data(), &value, sizeof value);
    return bytes;
  }

  const bool is_debug_frame_;
  std::string bytes_;
};

}  // namespace stoker::ebpf::unwind
