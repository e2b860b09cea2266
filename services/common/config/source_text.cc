#include "services/common/config/source_text.h"

#include <cstdint>

#include "services/common/base/utf8.h"

namespace stoker::config {

std::string DecodeSourceText(std::string bytes) {
  const bool little = bytes.starts_with("\xFF\xFE");
  const bool big = bytes.starts_with("\xFE\xFF");
  if (!little && !big) return bytes;
  const auto unit = [&](std::size_t at) -> char32_t {
    const auto low = static_cast<unsigned char>(bytes[at + (little ? 0 : 1)]);
    const auto high = static_cast<unsigned char>(bytes[at + (little ? 1 : 0)]);
    return static_cast<char32_t>(high << 8 | low);
  };
  const auto is_surrogate = [](char32_t u) { return u >= 0xD800 && u < 0xE000; };
  std::string text;
  for (std::size_t at = 2; at + 1 < bytes.size(); at += 2) {
    const char32_t first = unit(at);
    const char32_t second = at + 3 < bytes.size() ? unit(at + 2) : 0;
    if (first >= 0xD800 && first < 0xDC00 && second >= 0xDC00 && second < 0xE000) {
      AppendCodePoint(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00), text);
      at += 2;
    } else {
      AppendCodePoint(is_surrogate(first) ? kReplacementCharacter : first, text);
    }
  }
  return text;
}

}  // namespace stoker::config
