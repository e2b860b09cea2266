#include "services/common/relabel/letter_case.h"

#include <cwctype>

#include <locale.h>

#include "services/common/base/utf8.h"

namespace stoker::relabel {
namespace {

std::string MapLetters(std::string_view text, wint_t (*map)(wint_t, locale_t)) {
  // glibc's own locale with Unicode's tables: there whatever is installed (since glibc 2.35).
  static const locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  std::string mapped;
  mapped.reserve(text.size());
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
