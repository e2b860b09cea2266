#include "services/forwarder/push_outcome.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/common/base/status.h"

namespace stoker::forwarder {
namespace {

using Kind = PushOutcome::Kind;

HttpAnswer Connect(int status, const std::string& code) {
  return {.status = status, .body = R"({"code":")" + code + R"(","message":"why"})"};
}

// Statuses, as Alloy's retry table has them.
TEST(PushOutcomeTest, Statuses) {
  const auto kind = [](int status) { return JudgeAnswer({.status = status}, false, true).kind; };
  EXPECT_EQ(kind(200), Kind::kSent);
  for (const int status : {408, 429, 500, 502, 503, 504}) EXPECT_EQ(kind(status), Kind::kRetry);
  for (const int status : {204, 301, 400, 401, 403, 404, 413, 422}) {
    EXPECT_EQ(kind(status), Kind::kRefused) << status;
  }
}

// Connect's codes decide where the status does not.
TEST(PushOutcomeTest, ConnectCodes) {
  const auto kind = [](int status, const std::string& code) {
    return JudgeAnswer(Connect(status, code), false, true).kind;
  };
  for (const char* code : {"deadline_exceeded", "unknown", "internal", "unavailable", "data_loss",
                           "aborted", "resource_exhausted"}) {
    EXPECT_EQ(kind(409, code), Kind::kRetry) << code;
  }
  for (const char* code : {"invalid_argument", "unauthenticated", "already_exists"}) {
    EXPECT_EQ(kind(409, code), Kind::kRefused) << code;
  }
}

// 429 is retried unless the endpoint says otherwise, whichever way it is spelt.
TEST(PushOutcomeTest, TooManyRequests) {
  EXPECT_EQ(JudgeAnswer({.status = 429}, false, false).kind, Kind::kRefused);
  EXPECT_EQ(JudgeAnswer(Connect(400, "resource_exhausted"), false, false).kind, Kind::kRefused);
}

// On /ingest only the status counts.
TEST(PushOutcomeTest, IngestHasNoConnectError) {
  EXPECT_EQ(JudgeAnswer(Connect(409, "unavailable"), true, true).kind, Kind::kRefused);
}

// Without an answer it is sent again.
TEST(PushOutcomeTest, NoAnswer) {
  const PushOutcome refused = JudgeAnswer({.transport = Unavailable("refused")}, false, true);
  EXPECT_EQ(refused.kind, Kind::kRetry);
  EXPECT_TRUE(refused.unreachable);
  const PushOutcome late =
      JudgeAnswer({.transport = absl::DeadlineExceededError("10s")}, false, true);
  EXPECT_EQ(late.kind, Kind::kRetry);
  EXPECT_FALSE(late.unreachable);
}

// The text for people is that of the far end, cut; odd values of Retry-After mean none.
TEST(PushOutcomeTest, Texts) {
  HttpAnswer answer = Connect(503, "unavailable");
  answer.headers.Set("Retry-After", "7");
  const PushOutcome outcome = JudgeAnswer(answer, false, true);
  EXPECT_EQ(outcome.message, "pyroscope write error: status=503 msg=why");
  EXPECT_EQ(outcome.retry_after, absl::Seconds(7));
  const PushOutcome long_text =
      JudgeAnswer({.status = 500, .body = std::string(10'000, 'x')}, true, true);
  EXPECT_LT(long_text.message.size(), 2'200);
  for (const char* odd : {"", "-5", "Wed, 21 Oct 2015 07:28:00 GMT", "99999999999999999999"}) {
    answer.headers.Set("Retry-After", odd);
    EXPECT_EQ(JudgeAnswer(answer, false, true).retry_after, absl::ZeroDuration()) << odd;
  }
}

}  // namespace
}  // namespace stoker::forwarder
