#include "services/discovery/sources/fetcher.h"

#include <algorithm>
#include <utility>

#include <absl/synchronization/notification.h>

#include "services/common/http/retry_after.h"

namespace stoker::discovery {
namespace {

// A server that asks for more is asked again all the same: its answer may be a mistake.
constexpr absl::Duration kMaxRetryAfter = absl::Minutes(5);

// Of all answers of the process that are coming: many servers that send too much at once take no
// more together. A list of 50,000 targets is some 10 MiB.
constexpr std::size_t kSmallAnswerBytes = std::size_t{64} << 20;
constexpr std::size_t kLargeAnswerBytes = std::size_t{128} << 20;

std::shared_ptr<http::AnswerBudget> BudgetOfAll() {
  static const auto* const budget = new std::shared_ptr<http::AnswerBudget>(
      std::make_shared<http::AnswerBudget>(kSmallAnswerBytes, kLargeAnswerBytes));
  return *budget;
}

absl::Duration RetryAfter(const http::Response& response) {
  if (response.status != 429 && response.status != 503) return absl::ZeroDuration();
  return std::min(http::RetryAfter(response.headers), kMaxRetryAfter);
}

}  // namespace

absl::StatusOr<http::Response> Fetcher::Fetch(http::ClientRequest request) {
  retry_after_ = absl::ZeroDuration();
  request.budget = BudgetOfAll();
  if (request.on_body == nullptr) request.max_announced_bytes = request.max_body_bytes;
  absl::StatusOr<http::Response> response = absl::CancelledError("interrupted");
  absl::Notification done;
  {
    // A refused request is answered within Send: the callback takes no lock.
    absl::MutexLock lock(&mutex_);
    if (interrupted_) return response;
    request_ = client_->Send(std::move(request), [&](absl::StatusOr<http::Response> answer) {
      response = std::move(answer);
      done.Notify();
    });
  }
  done.WaitForNotification();
  if (response.ok()) retry_after_ = RetryAfter(*response);
  absl::MutexLock lock(&mutex_);
  request_ = 0;
  return response;
}

void Fetcher::Interrupt() {
  absl::MutexLock lock(&mutex_);
  interrupted_ = true;
  if (request_ != 0) client_->Cancel(request_);
}

}  // namespace stoker::discovery
