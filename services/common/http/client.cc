#include "services/common/http/client.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>
#include <map>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <absl/synchronization/mutex.h>
#include <absl/synchronization/notification.h>
#include <curl/curl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "services/common/base/clock.h"
#include "services/common/base/status.h"
#include "services/common/base/unique_fd.h"
#include "services/common/http/file_cache.h"
#include "services/common/http/token.h"
#include "services/common/http/transfer.h"

namespace stoker::http {
namespace {

constexpr absl::Duration kTokenTimeout = absl::Seconds(30);
// A token so near its end is fetched anew.
constexpr absl::Duration kTokenMargin = absl::Seconds(10);
constexpr absl::Duration kMaxPoll = absl::Seconds(1);

// A request that was sent and is not in libcurl's hands yet.
struct Pending {
  std::uint64_t id = 0;
  ClientRequest request;
  Client::Callback done;
  // Monotonic.
  absl::Duration deadline;
};

class CurlClient final : public Client {
 public:
  CurlClient(config::HttpClientConfig config, Options options)
      : config_(std::move(config)),
        options_(std::move(options)),
        multi_(curl_multi_init()),
        epoll_(epoll_create1(EPOLL_CLOEXEC)),
        wakeup_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &CurlClient::OnSocket);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &CurlClient::OnTimer);
    curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
    epoll_event event{.events = EPOLLIN, .data = {.fd = wakeup_.get()}};
    epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wakeup_.get(), &event);
    thread_ = std::thread([this] { Run(); });
  }

  ~CurlClient() override {
    {
      absl::MutexLock lock(&mutex_);
      stopping_ = true;
    }
    Wake();
    thread_.join();
    curl_multi_cleanup(multi_);
  }

  std::uint64_t Send(ClientRequest request, Callback done) override {
    const absl::Duration deadline = clock_.Monotonic() + request.timeout;
    std::uint64_t id = 0;
    {
      absl::MutexLock lock(&mutex_);
      id = next_id_++;
      if (in_flight_ < options_.max_in_flight) {
        ++in_flight_;
        incoming_.push_back({id, std::move(request), std::move(done), deadline});
        done = nullptr;
      }
    }
    if (done != nullptr) {
      done(ResourceExhausted("more than {} HTTP requests are under way", options_.max_in_flight));
    } else {
      Wake();
    }
    return id;
  }

  void Cancel(std::uint64_t id) override {
    {
      absl::MutexLock lock(&mutex_);
      cancelled_.push_back(id);
    }
    Wake();
  }

 private:
  // libcurl is told of each socket that can go on, so that thousands of idle transfers cost
  // nothing.
  void Run() {
    while (TakeCommands()) {
      Collect();
      AwaitSockets(std::min(ExpireWaiting(), timer_ - clock_.Monotonic()));
      if (clock_.Monotonic() < timer_) continue;
      timer_ = absl::InfiniteDuration();
      int running = 0;
      curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    for (Pending& pending : std::exchange(waiting_, {})) {
      Refuse(pending, absl::CancelledError("the client is closed"));
    }
    while (!running_.empty()) Abort(running_.begin()->first, "the client is closed");
  }

  void AwaitSockets(absl::Duration wait) {
    const absl::Duration rounded = absl::Ceil(wait, absl::Milliseconds(1));
    const auto timeout =
        static_cast<int>(std::max<std::int64_t>(0, absl::ToInt64Milliseconds(rounded)));
    std::array<epoll_event, 256> events{};
    const int count = epoll_wait(epoll_.get(), events.data(), events.size(), timeout);
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      if (event.data.fd == wakeup_.get()) {
        eventfd_t times = 0;
        eventfd_read(wakeup_.get(), &times);
        continue;
      }
      int what = (event.events & EPOLLIN) != 0 ? CURL_CSELECT_IN : 0;
      if ((event.events & EPOLLOUT) != 0) what |= CURL_CSELECT_OUT;
      if ((event.events & (EPOLLERR | EPOLLHUP)) != 0) what |= CURL_CSELECT_ERR;
      int running = 0;
      curl_multi_socket_action(multi_, event.data.fd, what, &running);
    }
  }

  // libcurl's wish to hear of a socket; a closed one has left the epoll by itself.
  static int OnSocket(CURL*, curl_socket_t socket, int what, void* self, void*) {
    const int epoll = static_cast<CurlClient*>(self)->epoll_.get();
    if (what == CURL_POLL_REMOVE) {
      epoll_ctl(epoll, EPOLL_CTL_DEL, socket, nullptr);
      return 0;
    }
    epoll_event event{.events = 0, .data = {.fd = socket}};
    if (what != CURL_POLL_OUT) event.events |= EPOLLIN;
    if (what != CURL_POLL_IN) event.events |= EPOLLOUT;
    const int changed = epoll_ctl(epoll, EPOLL_CTL_MOD, socket, &event);
    if (changed != 0 && errno == ENOENT) epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &event);
    return 0;
  }

  static int OnTimer(CURLM*, long milliseconds, void* self) {  // NOLINT(google-runtime-int)
    auto* client = static_cast<CurlClient*>(self);
    client->timer_ = milliseconds < 0
                         ? absl::InfiniteDuration()
                         : client->clock_.Monotonic() + absl::Milliseconds(milliseconds);
    return 0;
  }

  void Wake() { eventfd_write(wakeup_.get(), 1); }

  // False when the client stops.
  bool TakeCommands() {
    std::deque<Pending> incoming;
    std::vector<std::uint64_t> cancelled;
    bool stopping = false;
    {
      absl::MutexLock lock(&mutex_);
      incoming.swap(incoming_);
      cancelled.swap(cancelled_);
      stopping = stopping_;
    }
    for (Pending& pending : incoming) Start(std::move(pending));
    for (const std::uint64_t id : cancelled) CancelOne(id);
    return !stopping;
  }

  void CancelOne(std::uint64_t id) {
    const auto waiting = std::find_if(waiting_.begin(), waiting_.end(),
                                      [&](const Pending& pending) { return pending.id == id; });
    if (waiting != waiting_.end()) {
      Pending pending = std::move(*waiting);
      waiting_.erase(waiting);
      Refuse(pending, absl::CancelledError("cancelled"));
    }
    Abort(id, "cancelled");
  }

  void Refuse(Pending& pending, const absl::Status& status) {
    Transfer transfer(pending.id, std::move(pending.request), std::move(pending.done));
    Release();
    transfer.Finish(transfer.Named(status));
  }

  void Abort(std::uint64_t id, const char* why) {
    const auto it = running_.find(id);
    if (it == running_.end()) return;
    Finish(it, it->second->Named(absl::CancelledError(why)));
  }

  void Start(Pending pending) {
    const bool needs_token =
        config_.oauth2.has_value() && !pending.request.headers.Get("Authorization").has_value();
    if (needs_token && !HasToken()) {
      waiting_.push_back(std::move(pending));
      if (!fetching_) FetchToken();
      return;
    }
    const absl::Duration left = pending.deadline - clock_.Monotonic();
    auto transfer =
        std::make_unique<Transfer>(pending.id, std::move(pending.request), std::move(pending.done));
    absl::Status status = transfer->Prepare(options_, left);
    if (status.ok()) status = Configure(*transfer, config_.tls, config_.proxy);
    if (status.ok()) status = AddSettings(*transfer);
    Launch(std::move(transfer), status);
  }

  // Hands a transfer to libcurl, or ends it with `status`.
  void Launch(std::unique_ptr<Transfer> transfer, const absl::Status& status) {
    const auto it = running_.emplace(transfer->id(), std::move(transfer)).first;
    if (status.ok()) {
      curl_multi_add_handle(multi_, it->second->easy());
      return;
    }
    // A file of a secret or a certificate may come back.
    const bool ours = status.code() == absl::StatusCode::kInvalidArgument;
    Finish(it, it->second->Named(ours ? status : Unavailable("{}", Message(status))));
  }

  absl::Status Configure(Transfer& transfer, const config::TlsConfig& tls,
                         const config::ProxyConfig& proxy) {
    transfer.SetHttp2(config_.enable_http2);
    STOKER_RETURN_IF_ERROR(transfer.SetTls(tls, files_));
    return transfer.SetProxy(proxy);
  }

  absl::Status AddSettings(Transfer& transfer) {
    transfer.SetRedirects(config_.follow_redirects);
    for (const auto& [name, values] : config_.http_headers) {
      for (const config::Secret& value : values) {
        STOKER_RETURN_IF_ERROR(transfer.AddHeader(name, value.value));
      }
    }
    if (transfer.request().headers.Get("Authorization").has_value()) return absl::OkStatus();
    return AddCredentials(transfer);
  }

  absl::Status AddCredentials(Transfer& transfer) {
    if (config_.basic_auth.has_value()) {
      const auto& [user, password, password_file] = *config_.basic_auth;
      STOKER_ASSIGN_OR_RETURN(const std::string secret, SecretOf(password, password_file));
      transfer.SetBasicAuth(user, secret);
      return absl::OkStatus();
    }
    std::string type = "Bearer";
    std::string credentials;
    if (config_.authorization.has_value()) {
      type = config_.authorization->type;
      STOKER_ASSIGN_OR_RETURN(credentials, SecretOf(config_.authorization->credentials,
                                                    config_.authorization->credentials_file));
    } else if (config_.oauth2.has_value()) {
      credentials = token_->value;
    } else {
      STOKER_ASSIGN_OR_RETURN(credentials,
                              SecretOf(config_.bearer_token, config_.bearer_token_file));
    }
    if (credentials.empty()) return absl::OkStatus();
    return transfer.AddHeader("Authorization", type + " " + credentials);
  }

  absl::StatusOr<std::string> SecretOf(const config::Secret& text, const std::string& path) {
    if (path.empty()) return text.value;
    return files_.ReadTrimmed(path);
  }

  // False for a token that ends soon, or whose secret has changed since.
  bool HasToken() {
    const auto secret = SecretOf(config_.oauth2->client_secret, config_.oauth2->client_secret_file);
    return token_.has_value() && clock_.Monotonic() < token_end_ &&
           (!secret.ok() || *secret == token_secret_);
  }

  void FetchToken() {
    fetching_ = true;
    const config::OAuth2& oauth2 = *config_.oauth2;
    const auto secret = SecretOf(oauth2.client_secret, oauth2.client_secret_file);
    if (!secret.ok()) return OnToken(secret.status());
    token_secret_ = *secret;
    auto transfer = std::make_unique<Transfer>(
        kTokenId, TokenRequest(oauth2, *secret, secret_in_body_, kTokenTimeout),
        [this](const absl::StatusOr<Response>& response) { OnTokenResponse(response); });
    absl::Status status = transfer->Prepare(options_, kTokenTimeout);
    if (status.ok()) status = Configure(*transfer, oauth2.tls, oauth2.proxy);
    Launch(std::move(transfer), status);
  }

  void OnTokenResponse(const absl::StatusOr<Response>& response) {
    if (!response.ok()) return OnToken(response.status());
    absl::StatusOr<Token> token = ParseToken(*response);
    // Servers take the secret in one place or the other, and do not say which.
    if (!token.ok() && response->status / 100 == 4 && !secret_in_body_) {
      secret_in_body_ = true;
      return FetchToken();
    }
    if (!token.ok()) secret_in_body_ = false;
    OnToken(std::move(token));
  }

  void OnToken(absl::StatusOr<Token> token) {
    fetching_ = false;
    std::vector<Pending> waiting = std::exchange(waiting_, {});
    if (!token.ok()) {
      const absl::Status status =
          Unavailable("oauth2 {}: {}", config_.oauth2->token_url, Message(token.status()));
      for (Pending& pending : waiting) Refuse(pending, status);
      return;
    }
    // Of a short-lived token at least half is used.
    token_end_ = clock_.Monotonic() + std::max(token->lifetime - kTokenMargin, token->lifetime / 2);
    token_ = *std::move(token);
    for (Pending& pending : waiting) Start(std::move(pending));
  }

  // Ends requests whose time was up before there was a token. How long to wait for the next.
  absl::Duration ExpireWaiting() {
    const absl::Duration now = clock_.Monotonic();
    absl::Duration wait = kMaxPoll;
    std::vector<Pending> expired;
    std::erase_if(waiting_, [&](Pending& pending) {
      if (pending.deadline > now) {
        wait = std::min(wait, pending.deadline - now);
        return false;
      }
      expired.push_back(std::move(pending));
      return true;
    });
    for (Pending& pending : expired) {
      Refuse(pending, absl::DeadlineExceededError("timed out while fetching an oauth2 token"));
    }
    return wait + absl::Milliseconds(1);
  }

  void Collect() {
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      Transfer* transfer = nullptr;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
      absl::StatusOr<Response> response = transfer->Result(message->data.result);
      if (transfer->id() != kTokenId && response.ok() && response->status == 401) token_.reset();
      Finish(running_.find(transfer->id()), std::move(response));
    }
  }

  using Running = std::map<std::uint64_t, std::unique_ptr<Transfer>>;

  void Finish(Running::iterator it, absl::StatusOr<Response> response) {
    const std::unique_ptr<Transfer> transfer = std::move(it->second);
    running_.erase(it);
    curl_multi_remove_handle(multi_, transfer->easy());
    if (transfer->id() != kTokenId) Release();
    transfer->Finish(std::move(response));
  }

  void Release() {
    absl::MutexLock lock(&mutex_);
    --in_flight_;
  }

  // The fetch of a token among the transfers.
  static constexpr std::uint64_t kTokenId = 0;

  const config::HttpClientConfig config_;
  const Options options_;
  const SystemClock clock_;
  CURLM* const multi_;
  const UniqueFd epoll_;
  // Ends a wait for sockets.
  const UniqueFd wakeup_;

  absl::Mutex mutex_;
  std::deque<Pending> incoming_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::uint64_t> cancelled_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::uint64_t next_id_ ABSL_GUARDED_BY(mutex_) = kTokenId + 1;
  std::size_t in_flight_ ABSL_GUARDED_BY(mutex_) = 0;

  // The thread's.
  // When libcurl wants to be called, by the monotonic clock.
  absl::Duration timer_ = absl::InfiniteDuration();
  Running running_;
  FileCache files_;
  std::vector<Pending> waiting_;
  std::optional<Token> token_;
  absl::Duration token_end_;
  // What the token was fetched with.
  std::string token_secret_;
  bool secret_in_body_ = false;
  bool fetching_ = false;

  std::thread thread_;
};

}  // namespace

std::unique_ptr<Client> Client::Make(config::HttpClientConfig config, Options options) {
  return std::make_unique<CurlClient>(std::move(config), std::move(options));
}

std::unique_ptr<Client> Client::Make(config::HttpClientConfig config) {
  return Make(std::move(config), Options{});
}

absl::StatusOr<Response> Client::Do(ClientRequest request) {
  absl::Notification ended;
  absl::StatusOr<Response> result = absl::UnknownError("");
  Send(std::move(request), [&](absl::StatusOr<Response> response) {
    result = std::move(response);
    ended.Notify();
  });
  ended.WaitForNotification();
  return result;
}

}  // namespace stoker::http
