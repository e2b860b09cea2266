#include "services/common/http/retry_after.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>

namespace stoker::http {
namespace {

std::optional<absl::Time> ParseDate(std::string_view text) {
  absl::Time time;
  const bool good = absl::ParseTime("%a, %d %b %Y %H:%M:%S GMT", std::string(text), &time, nullptr);
  return good ? std::optional(time) : std::nullopt;
}

}  // namespace

absl::Duration RetryAfter(const Headers& headers) {
  const std::string_view text = headers.Get("Retry-After").value_or("");
  int seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error == std::errc() && end == text.data() + text.size()) {
    return absl::Seconds(std::max(seconds, 0));
  }
  const std::optional<absl::Time> until = ParseDate(text);
  const std::optional<absl::Time> now = ParseDate(headers.Get("Date").value_or(""));
  if (!until || !now) return absl::ZeroDuration();
  return std::max(*until - *now, absl::ZeroDuration());
}

}  // namespace stoker::http
