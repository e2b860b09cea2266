#pragma once

#include <cstdint>
#include <memory>

#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include "services/common/http/client.h"

namespace stoker::discovery {

// Sends requests one after another and waits for each; another thread may end the wait.
class Fetcher {
 public:
  explicit Fetcher(const config::HttpClientConfig& config) : client_(http::Client::Make(config)) {}

  // As http::Client::Do, the memory of all answers that come at once bounded for the process.
  // CANCELLED once interrupted.
  absl::StatusOr<http::Response> Fetch(http::ClientRequest request);
  // How long the last answer asks to be left alone: its Retry-After where it is 429 or 503, at most
  // five minutes; zero where it does not. For the thread of Fetch.
  [[nodiscard]] absl::Duration retry_after() const { return retry_after_; }
  // For good. Thread-safe.
  void Interrupt();

 private:
  const std::unique_ptr<http::Client> client_;
  absl::Duration retry_after_;
  absl::Mutex mutex_;
  bool interrupted_ ABSL_GUARDED_BY(mutex_) = false;
  // What is being waited for; 0: nothing.
  std::uint64_t request_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace stoker::discovery
