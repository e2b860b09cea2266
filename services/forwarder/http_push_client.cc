#include "services/forwarder/http_push_client.h"

#include <atomic>
#include <fstream>
#include <map>
#include <sstream>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <absl/synchronization/mutex.h>
#include <curl/curl.h>

#include "services/common/base/status.h"

namespace stoker::forwarder {
namespace {

constexpr std::size_t kMaxAnswerBytes = 64 << 10;
constexpr int kPollMs = 1000;

using Easy = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;
using List = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

// One request that runs. Curl keeps pointers into it.
struct Transfer {
  HttpPost post;
  std::function<void(HttpAnswer)> done;
  HttpAnswer answer;
  Easy easy{curl_easy_init(), curl_easy_cleanup};
  List headers{nullptr, curl_slist_free_all};

  void AddHeader(const std::string& line) {
    headers.reset(curl_slist_append(headers.release(), line.c_str()));
  }
  template <typename T>
  void Set(CURLoption option, T value) {
    curl_easy_setopt(easy.get(), option, value);
  }
};

std::size_t TakeBody(char* data, std::size_t, std::size_t size, void* to) {
  std::string& body = static_cast<Transfer*>(to)->answer.body;
  body.append(data, std::min(size, kMaxAnswerBytes - std::min(body.size(), kMaxAnswerBytes)));
  return size;
}

std::size_t TakeHeader(char* data, std::size_t, std::size_t size, void* to) {
  std::string_view line(data, size);
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return size;
  std::string_view value = line.substr(colon + 1);
  while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
  while (!value.empty() && (value.back() == '\r' || value.back() == '\n')) value.remove_suffix(1);
  static_cast<Transfer*>(to)->answer.headers.Add(std::string(line.substr(0, colon)),
                                                 std::string(value));
  return size;
}

// The first line's text, without blanks around it: how secrets are kept in files.
std::string ReadSecret(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  std::string secret = text.str();
  while (!secret.empty() && std::isspace(static_cast<unsigned char>(secret.back())) != 0) {
    secret.pop_back();
  }
  return secret;
}

void SetTls(const config::TlsConfig& tls, Transfer& transfer) {
  if (!tls.ca_file.empty()) transfer.Set(CURLOPT_CAINFO, tls.ca_file.c_str());
  if (!tls.cert_file.empty()) transfer.Set(CURLOPT_SSLCERT, tls.cert_file.c_str());
  if (!tls.key_file.empty()) transfer.Set(CURLOPT_SSLKEY, tls.key_file.c_str());
  const auto set_blob = [&](CURLoption option, const std::string& pem) {
    if (pem.empty()) return;
    curl_blob blob{
        .data = const_cast<char*>(pem.data()), .len = pem.size(), .flags = CURL_BLOB_COPY};
    transfer.Set(option, &blob);
  };
  set_blob(CURLOPT_CAINFO_BLOB, tls.ca_pem);
  set_blob(CURLOPT_SSLCERT_BLOB, tls.cert_pem);
  set_blob(CURLOPT_SSLKEY_BLOB, tls.key_pem.value);
  if (tls.insecure_skip_verify) {
    transfer.Set(CURLOPT_SSL_VERIFYPEER, 0L);
    transfer.Set(CURLOPT_SSL_VERIFYHOST, 0L);
  }
  static const std::map<std::string, long> kVersions = {{"TLS10", CURL_SSLVERSION_TLSv1_0},
                                                        {"TLS11", CURL_SSLVERSION_TLSv1_1},
                                                        {"TLS13", CURL_SSLVERSION_TLSv1_3}};
  const auto version = kVersions.find(tls.min_version);
  transfer.Set(CURLOPT_SSLVERSION,
               version == kVersions.end() ? long{CURL_SSLVERSION_TLSv1_2} : version->second);
}

void SetAuthorization(const config::HttpClientConfig& config, Transfer& transfer) {
  const auto secret = [](const config::Secret& value, const std::string& file) {
    return file.empty() ? value.value : ReadSecret(file);
  };
  if (config.basic_auth) {
    const config::BasicAuth& basic = *config.basic_auth;
    transfer.Set(CURLOPT_HTTPAUTH, long{CURLAUTH_BASIC});
    transfer.Set(CURLOPT_USERNAME, basic.username.c_str());
    transfer.Set(CURLOPT_PASSWORD, secret(basic.password, basic.password_file).c_str());
  }
  if (config.authorization) {
    const config::Authorization& given = *config.authorization;
    transfer.AddHeader("Authorization: " + given.type + " " +
                       secret(given.credentials, given.credentials_file));
  }
  const std::string bearer = secret(config.bearer_token, config.bearer_token_file);
  if (!bearer.empty()) transfer.AddHeader("Authorization: Bearer " + bearer);
}

// One thread and one set of connections. Requests wait in a queue until the thread takes them.
class CurlPushClient final : public PushClient {
 public:
  explicit CurlPushClient(config::HttpClientConfig config)
      : config_(std::move(config)), multi_(curl_multi_init()), thread_([this] { Run(); }) {}

  ~CurlPushClient() override {
    stopping_ = true;
    curl_multi_wakeup(multi_);
    thread_.join();
    for (const auto& [easy, transfer] : running_) curl_multi_remove_handle(multi_, easy);
    running_.clear();
    curl_multi_cleanup(multi_);
  }

  void Post(HttpPost post, std::function<void(HttpAnswer)> done) override {
    auto transfer = std::make_unique<Transfer>();
    transfer->post = std::move(post);
    transfer->done = std::move(done);
    {
      absl::MutexLock lock(&mutex_);
      queue_.push_back(std::move(transfer));
    }
    curl_multi_wakeup(multi_);
  }

 private:
  void Run() {
    while (!stopping_) {
      std::vector<std::unique_ptr<Transfer>> queue;
      {
        absl::MutexLock lock(&mutex_);
        queue.swap(queue_);
      }
      for (auto& transfer : queue) Start(std::move(transfer));
      int running = 0;
      curl_multi_perform(multi_, &running);
      int left = 0;
      while (CURLMsg* message = curl_multi_info_read(multi_, &left)) {
        if (message->msg == CURLMSG_DONE) Finish(message->easy_handle, message->data.result);
      }
      curl_multi_poll(multi_, nullptr, 0, kPollMs, nullptr);
    }
  }

  void Start(std::unique_ptr<Transfer> owned) {
    Transfer& transfer = *owned;
    for (const auto& [name, value] : transfer.post.headers.fields()) {
      transfer.AddHeader(name + ": " + value);
    }
    // No round trip before the body.
    transfer.AddHeader("Expect:");
    for (const auto& [name, values] : config_.http_headers) {
      for (const config::Secret& value : values) transfer.AddHeader(name + ": " + value.value);
    }
    SetAuthorization(config_, transfer);
    SetTls(config_.tls, transfer);
    transfer.Set(CURLOPT_URL, transfer.post.url.c_str());
    transfer.Set(CURLOPT_PROTOCOLS_STR, "http,https");
    transfer.Set(CURLOPT_POST, 1L);
    transfer.Set(CURLOPT_POSTFIELDS, transfer.post.body.data());
    transfer.Set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(transfer.post.body.size()));
    transfer.Set(CURLOPT_HTTPHEADER, transfer.headers.get());
    transfer.Set(CURLOPT_ACCEPT_ENCODING, "gzip");
    transfer.Set(CURLOPT_TIMEOUT_MS,
                 static_cast<long>(absl::ToInt64Milliseconds(transfer.post.timeout)));
    transfer.Set(CURLOPT_NOSIGNAL, 1L);
    transfer.Set(CURLOPT_FOLLOWLOCATION, config_.follow_redirects ? 1L : 0L);
    transfer.Set(CURLOPT_HTTP_VERSION,
                 config_.enable_http2 ? long{CURL_HTTP_VERSION_2TLS} : long{CURL_HTTP_VERSION_1_1});
    transfer.Set(CURLOPT_PROXY,
                 config_.proxy.proxy_from_environment ? nullptr : config_.proxy.proxy_url.c_str());
    if (!config_.proxy.no_proxy.empty()) {
      transfer.Set(CURLOPT_NOPROXY, config_.proxy.no_proxy.c_str());
    }
    transfer.Set(CURLOPT_WRITEFUNCTION, TakeBody);
    transfer.Set(CURLOPT_WRITEDATA, &transfer);
    transfer.Set(CURLOPT_HEADERFUNCTION, TakeHeader);
    transfer.Set(CURLOPT_HEADERDATA, &transfer);
    curl_multi_add_handle(multi_, transfer.easy.get());
    running_[transfer.easy.get()] = std::move(owned);
  }

  void Finish(CURL* easy, CURLcode result) {
    const auto found = running_.find(easy);
    const std::unique_ptr<Transfer> transfer = std::move(found->second);
    running_.erase(found);
    curl_multi_remove_handle(multi_, easy);
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    transfer->answer.status = static_cast<int>(status);
    if (result == CURLE_OPERATION_TIMEDOUT) {
      transfer->answer.transport = Error(absl::StatusCode::kDeadlineExceeded, "no answer within {}",
                                         absl::FormatDuration(transfer->post.timeout));
    } else if (result != CURLE_OK) {
      transfer->answer.transport = Unavailable("{}", curl_easy_strerror(result));
    }
    transfer->done(std::move(transfer->answer));
  }

  const config::HttpClientConfig config_;
  CURLM* const multi_;
  std::atomic<bool> stopping_ = false;
  absl::Mutex mutex_;
  std::vector<std::unique_ptr<Transfer>> queue_ ABSL_GUARDED_BY(mutex_);
  // The thread's.
  std::map<CURL*, std::unique_ptr<Transfer>> running_;
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<PushClient>> MakeHttpPushClient(
    const config::PyroscopeWrite::Endpoint& endpoint) {
  if (endpoint.protocol != config::PyroscopeWrite::Protocol::kPyroscope) {
    return absl::UnimplementedError("only protocol = \"pyroscope\" is there yet");
  }
  if (endpoint.client.oauth2) return absl::UnimplementedError("oauth2 is not there yet");
  return std::make_unique<CurlPushClient>(endpoint.client);
}

}  // namespace stoker::forwarder
