#include "services/forwarder/push_outcome.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "services/common/base/status.h"
#include "services/common/http/retry_after.h"

namespace stoker::forwarder {
namespace {

constexpr std::size_t kMaxMessageBytes = 2048;
constexpr std::array<std::string_view, 6> kRetriedCodes = {
    "deadline_exceeded", "unknown", "internal", "unavailable", "data_loss", "aborted"};

// The code and message of a Connect error; empty where the body is none.
struct ConnectError {
  std::string code;
  std::string message;
};

ConnectError ParseError(const HttpAnswer& answer) {
  const auto json = nlohmann::json::parse(answer.body, nullptr, false);
  if (!json.is_object()) return {};
  const auto text = [&](const char* key) {
    const auto found = json.find(key);
    return found != json.end() && found->is_string() ? found->get<std::string>() : "";
  };
  return {.code = text("code"), .message = text("message")};
}

bool IsRetried(int status, const std::string& code, bool retry_on_429) {
  if (status == 429 || code == "resource_exhausted") return retry_on_429;
  if (status == 408 || status >= 500) return true;
  return std::find(kRetriedCodes.begin(), kRetriedCodes.end(), code) != kRetriedCodes.end();
}

}  // namespace

PushOutcome JudgeAnswer(const HttpAnswer& answer, bool ingest, bool retry_on_429) {
  using Kind = PushOutcome::Kind;
  if (!answer.transport.ok()) {
    return {.kind = Kind::kRetry,
            .message = std::string(Message(answer.transport)),
            .unreachable = absl::IsUnavailable(answer.transport)};
  }
  if (answer.status == 200) return {};
  const ConnectError error = ingest ? ConnectError{} : ParseError(answer);
  const std::string text = error.message.empty() ? answer.body : error.message;
  PushOutcome outcome{.kind = Kind::kRefused,
                      .message = fmt::format("pyroscope write error: status={} msg={}",
                                             answer.status, text.substr(0, kMaxMessageBytes)),
                      .retry_after = http::RetryAfter(answer.headers)};
  if (IsRetried(answer.status, error.code, retry_on_429)) {
    outcome.kind = Kind::kRetry;
  } else if (text.find("ingestion window") != std::string::npos) {
    outcome.kind = Kind::kTooOld;
  }
  return outcome;
}

}  // namespace stoker::forwarder
