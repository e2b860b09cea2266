#include "services/common/relabel/letter_case.h"

#include <algorithm>
#include <cwchar>
#include <cwctype>

#include <locale.h>

namespace stoker::relabel {
namespace {

constexpr char32_t kReplacementCharacter = 0xFFFD;

// glibc's own locale with Unicode's tables: present whatever is installed (glibc 2.35).
locale_t UnicodeLocale() {
  static const locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  return locale;
}

// Takes one code point off the front of `text`.
char32_t TakeCodePoint(std::string_view& text) {
  const auto byte = [&text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  const std::size_t length = lead < 0x80             ? 1
                             : (lead & 0xE0) == 0xC0 ? 2
                             : (lead & 0xF0) == 0xE0 ? 3
                             : (lead & 0xF8) == 0xF0 ? 4
                                                     : 0;
  static constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  char32_t point = length <= 1 ? lead : lead & (0x7Fu >> length);
  bool valid = length != 0 && length <= text.size();
  for (std::size_t i = 1; valid && i < length; ++i) {
    valid = (byte(i) & 0xC0) == 0x80;
    point = point << 6 | (byte(i) & 0x3Fu);
  }
  valid = valid && point >= kSmallest[length] && point <= 0x10FFFF &&
          (point < 0xD800 || point > 0xDFFF);
  text.remove_prefix(valid ? length : 1);
  return valid ? point : kReplacementCharacter;
}

void AppendCodePoint(char32_t point, std::string& text) {
  if (point < 0x80) {
    text += static_cast<char>(point);
    return;
  }
  const int trailing = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
  static constexpr unsigned kLead[] = {0, 0xC0, 0xE0, 0xF0};
  text += static_cast<char>(kLead[trailing] | point >> (6 * trailing));
  for (int i = trailing - 1; i >= 0; --i) {
    text += static_cast<char>(0x80 | (point >> (6 * i) & 0x3F));
  }
}

std::string MapLetters(std::string_view text, wint_t (*map)(wint_t, locale_t)) {
  std::string mapped;
  mapped.reserve(text.size());
  const locale_t locale = UnicodeLocale();
  while (!text.empty()) {
    const char32_t point = TakeCodePoint(text);
    AppendCodePoint(locale == nullptr ? point : map(point, locale), mapped);
  }
  return mapped;
}

}  // namespace

std::string ToLower(std::string_view text) { return MapLetters(text, towlower_l); }
std::string ToUpper(std::string_view text) { return MapLetters(text, towupper_l); }

}  // namespace stoker::relabel
