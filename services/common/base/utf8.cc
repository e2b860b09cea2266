#include "services/common/base/utf8.h"

#include <algorithm>

namespace stoker {
namespace {

// The length of the sequence that `lead` begins; 0 where it begins none.
std::size_t SequenceLength(unsigned char lead) {
  if (lead < 0x80) return 1;
  if ((lead & 0xE0) == 0xC0) return 2;
  if ((lead & 0xF0) == 0xE0) return 3;
  if ((lead & 0xF8) == 0xF0) return 4;
  return 0;
}

}  // namespace

char32_t TakeCodePoint(std::string_view& text) {
  static constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const auto byte = [&text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::size_t length = SequenceLength(byte(0));
  char32_t point = length <= 1 ? byte(0) : byte(0) & (0x7Fu >> length);
  bool valid = length != 0 && length <= text.size();
  for (std::size_t i = 1; valid && i < length; ++i) {
    valid = (byte(i) & 0xC0) == 0x80;
    point = point << 6 | (byte(i) & 0x3Fu);
  }
  const bool surrogate = point >= 0xD800 && point <= 0xDFFF;
  valid = valid && point >= kSmallest[length] && point <= 0x10FFFF && !surrogate;
  text.remove_prefix(valid ? length : 1);
  return valid ? point : kReplacementCharacter;
}

void AppendCodePoint(char32_t point, std::string& text) {
  if (point < 0x80) {
    text += static_cast<char>(point);
    return;
  }
  static constexpr unsigned kLead[] = {0, 0xC0, 0xE0, 0xF0};
  const unsigned trailing = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
  text += static_cast<char>(kLead[trailing] | point >> (6 * trailing));
  for (unsigned i = trailing; i-- > 0;) {
    text += static_cast<char>(0x80 | (point >> (6 * i) & 0x3F));
  }
}

std::string ToValidUtf8(std::string_view text) {
  const bool ascii = std::all_of(text.begin(), text.end(),
                                 [](char c) { return static_cast<signed char>(c) >= 0; });
  if (ascii) return std::string(text);
  std::string valid;
  valid.reserve(text.size());
  while (!text.empty()) AppendCodePoint(TakeCodePoint(text), valid);
  return valid;
}

}  // namespace stoker
