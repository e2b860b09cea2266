#include "services/store/attime.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <string>
#include <utility>

namespace stoker::store {
namespace {

bool IsDigit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }

std::int64_t Number(std::string_view digits) {
  std::int64_t number = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return number;
}

absl::Time Absolute(std::string_view digits) {
  const std::int64_t number = Number(digits);
  switch (digits.size()) {
    case 8:
      return absl::FromCivil(absl::CivilDay(number / 10'000, number / 100 % 100, number % 100),
                             absl::UTCTimeZone());
    case 13:
      return absl::FromUnixMillis(number);
    case 16:
      return absl::FromUnixMicros(number);
    case 19:
      return absl::FromUnixNanos(number);
    default:
      return absl::FromUnixSeconds(number);
  }
}

absl::Duration Unit(std::string_view unit) {
  constexpr std::int64_t kDay = 24;
  const std::pair<std::string_view, absl::Duration> units[] = {
      {"mon", absl::Hours(30 * kDay)}, {"M", absl::Hours(30 * kDay)},  {"s", absl::Seconds(1)},
      {"m", absl::Minutes(1)},         {"h", absl::Hours(1)},          {"d", absl::Hours(kDay)},
      {"w", absl::Hours(7 * kDay)},    {"y", absl::Hours(365 * kDay)},
  };
  for (const auto& [name, duration] : units) {
    if (unit.starts_with(name)) return duration;
  }
  return absl::ZeroDuration();
}

}  // namespace

absl::Time ParseAttime(std::string_view text, absl::Time now) {
  std::string word(text);
  std::erase_if(word, [](char c) { return c == ' ' || c == ',' || c == '_'; });
  if (!word.empty() && word.size() <= 19 && std::ranges::all_of(word, IsDigit)) {
    return Absolute(word);
  }
  const std::size_t sign = word.find_first_of("-+");
  if (sign == std::string::npos) return now;
  const std::string_view offset = std::string_view(word).substr(sign + 1);
  const auto digits =
      static_cast<std::size_t>(std::ranges::find_if_not(offset, IsDigit) - offset.begin());
  const absl::Duration distance =
      static_cast<double>(Number(offset.substr(0, digits))) * Unit(offset.substr(digits));
  return word[sign] == '-' ? now - distance : now + distance;
}

}  // namespace stoker::store
