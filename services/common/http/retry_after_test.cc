#include "services/common/http/retry_after.h"

#include <gtest/gtest.h>

namespace stoker::http {
namespace {

absl::Duration Of(const std::string& text, const std::string& date = "") {
  Headers headers{{"retry-after", text}};
  if (!date.empty()) headers.Add("Date", date);
  return RetryAfter(headers);
}

// Seconds and dates are taken, anything else is no wish.
TEST(RetryAfterTest, Forms) {
  EXPECT_EQ(Of("7"), absl::Seconds(7));
  EXPECT_EQ(Of("0"), absl::ZeroDuration());
  EXPECT_EQ(Of("Sat, 21 Nov 2026 10:02:00 GMT", "Sat, 21 Nov 2026 10:00:30 GMT"),
            absl::Seconds(90));
  EXPECT_EQ(Of("Sat, 21 Nov 2026 10:00:00 GMT", "Sat, 21 Nov 2026 10:00:30 GMT"),
            absl::ZeroDuration());
  EXPECT_EQ(RetryAfter({}), absl::ZeroDuration());
  for (const char* odd :
       {"", "-5", "7s", "1e9", "99999999999999999999", "soon", "Sat, 21 Nov 2026 10:02:00 GMT"}) {
    EXPECT_EQ(Of(odd), absl::ZeroDuration()) << odd;
  }
}

}  // namespace
}  // namespace stoker::http
