#include "services/forwarder/http_push_client.h"

#include <utility>

#include "services/common/base/status.h"
#include "services/common/http/client.h"
#include "services/forwarder/push_request.h"

namespace stoker::forwarder {
namespace {

constexpr std::size_t kMaxAnswerBytes = 64 << 10;

class HttpPushClient final : public PushClient {
 public:
  explicit HttpPushClient(const config::HttpClientConfig& config)
      : client_(http::Client::Make(config, {.user_agent = UserAgent()})) {}

  void Post(HttpPost post, std::function<void(HttpAnswer)> done) override {
    client_->Send({.method = "POST",
                   .url = std::move(post.url),
                   .headers = std::move(post.headers),
                   .body = std::move(post.body),
                   .timeout = post.timeout,
                   .max_body_bytes = kMaxAnswerBytes},
                  [done = std::move(done)](absl::StatusOr<http::Response> response) {
                    if (!response.ok()) return done({.transport = response.status()});
                    done({.status = response->status,
                          .headers = std::move(response->headers),
                          .body = std::move(response->body)});
                  });
  }

 private:
  const std::unique_ptr<http::Client> client_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<PushClient>> MakeHttpPushClient(
    const config::PyroscopeWrite::Endpoint& endpoint) {
  if (endpoint.protocol != config::PyroscopeWrite::Protocol::kPyroscope) {
    return absl::UnimplementedError("this build speaks only protocol = \"pyroscope\"");
  }
  return std::make_unique<HttpPushClient>(endpoint.client);
}

}  // namespace stoker::forwarder
