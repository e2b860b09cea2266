#include "services/common/http/transfer.h"

#include <algorithm>
#include <utility>

#include "services/common/base/status.h"
#include "services/common/http/fields.h"
#include "services/common/http/shown_url.h"

namespace stoker::http {
namespace {

constexpr std::size_t kMaxHeaderBytes = std::size_t{64} << 10;
constexpr long kMaxRedirects = 10;

struct UrlDeleter {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using Url = std::unique_ptr<CURLU, UrlDeleter>;

Url ParseUrl(const std::string& text) {
  Url url(curl_url());
  return curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) == CURLUE_OK ? std::move(url)
                                                                              : nullptr;
}

std::string Part(const Url& url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url.get(), part, &text, CURLU_DEFAULT_PORT) != CURLUE_OK) return "";
  std::string copy = text;
  curl_free(text);
  return copy;
}

absl::StatusCode CodeOf(CURLcode result) {
  switch (result) {
    case CURLE_OPERATION_TIMEDOUT:
      return absl::StatusCode::kDeadlineExceeded;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return absl::StatusCode::kInvalidArgument;
    case CURLE_FILESIZE_EXCEEDED:
      return absl::StatusCode::kResourceExhausted;
    case CURLE_TOO_MANY_REDIRECTS:
      return absl::StatusCode::kFailedPrecondition;
    default:
      return absl::StatusCode::kUnavailable;
  }
}

}  // namespace

Transfer::Transfer(std::uint64_t id, ClientRequest request, Client::Callback done)
    : id_(id),
      request_(std::move(request)),
      done_(std::move(done)),
      easy_(curl_easy_init()),
      lease_(request_.budget) {}

Transfer::~Transfer() {
  curl_easy_cleanup(easy_);
  curl_slist_free_all(headers_);
  curl_slist_free_all(proxy_headers_);
  curl_slist_free_all(connect_to_);
}

absl::Status Transfer::Prepare(const Client::Options& options, absl::Duration timeout) {
  if (ParseUrl(request_.url) == nullptr) return InvalidArgument("not a URL");
  curl_easy_setopt(easy_, CURLOPT_PRIVATE, this);
  curl_easy_setopt(easy_, CURLOPT_URL, request_.url.c_str());
  curl_easy_setopt(easy_, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy_, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy_, CURLOPT_ERRORBUFFER, error_);
  curl_easy_setopt(easy_, CURLOPT_HEADERFUNCTION, OnHeader);
  curl_easy_setopt(easy_, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy_, CURLOPT_WRITEFUNCTION, OnBody);
  curl_easy_setopt(easy_, CURLOPT_WRITEDATA, this);
  curl_easy_setopt(easy_, CURLOPT_USERAGENT, options.user_agent.c_str());
  SetTimeouts(options, timeout);
  // A proxy's answer to CONNECT is not the answer.
  curl_easy_setopt(easy_, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  if (!request_.unix_socket.empty()) {
    curl_easy_setopt(easy_, CURLOPT_UNIX_SOCKET_PATH, request_.unix_socket.c_str());
  }
  if (request_.max_announced_bytes > 0) {
    curl_easy_setopt(easy_, CURLOPT_MAXFILESIZE_LARGE,
                     static_cast<curl_off_t>(request_.max_announced_bytes));
  }
  // A compressed stream might hold a piece back.
  if (!request_.headers.Get("Accept-Encoding").has_value() && request_.on_body == nullptr) {
    curl_easy_setopt(easy_, CURLOPT_ACCEPT_ENCODING, "gzip");
  }
  SetMethod();
  for (const auto& [name, value] : request_.headers.fields()) {
    STOKER_RETURN_IF_ERROR(AddHeader(name, value));
  }
  return absl::OkStatus();
}

void Transfer::SetTimeouts(const Client::Options& options, absl::Duration timeout) {
  curl_easy_setopt(easy_, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(absl::ToInt64Milliseconds(options.connect_timeout)));
  if (request_.idle_timeout != absl::InfiniteDuration()) {
    const auto seconds = std::max<std::int64_t>(1, absl::ToInt64Seconds(request_.idle_timeout));
    curl_easy_setopt(easy_, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(easy_, CURLOPT_LOW_SPEED_TIME, static_cast<long>(seconds));
  }
  if (timeout == absl::InfiniteDuration()) {
    // A peer that went away without a word is found out.
    curl_easy_setopt(easy_, CURLOPT_TCP_KEEPALIVE, 1L);
    return;
  }
  // Zero would be no limit.
  const auto ms = std::max<std::int64_t>(1, absl::ToInt64Milliseconds(timeout));
  curl_easy_setopt(easy_, CURLOPT_TIMEOUT_MS, static_cast<long>(ms));
}

void Transfer::SetMethod() {
  if (request_.method == "HEAD") {
    curl_easy_setopt(easy_, CURLOPT_NOBODY, 1L);
    return;
  }
  if (request_.method == "GET" && request_.body.empty()) return;
  curl_easy_setopt(easy_, CURLOPT_POSTFIELDSIZE_LARGE,
                   static_cast<curl_off_t>(request_.body.size()));
  curl_easy_setopt(easy_, CURLOPT_POSTFIELDS, request_.body.data());
  // A custom method would survive redirects that make a GET of a POST.
  if (request_.method != "POST") {
    curl_easy_setopt(easy_, CURLOPT_CUSTOMREQUEST, request_.method.c_str());
  }
  // libcurl would call any body a form.
  if (!request_.headers.Get("Content-Type").has_value()) {
    headers_ = curl_slist_append(headers_, "Content-Type:");
    curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, headers_);
  }
}

absl::Status Transfer::AddHeader(const std::string& name, const std::string& value) {
  if (!IsFieldName(name)) return InvalidArgument("\"{}\" is no header name", FieldValue(name));
  if (value.find_first_of(std::string("\r\n\0", 3)) != std::string::npos) {
    return InvalidArgument("the value of header {} has a line break", name);
  }
  // libcurl takes "Name;" for an empty value.
  headers_ =
      curl_slist_append(headers_, (value.empty() ? name + ";" : name + ": " + value).c_str());
  curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, headers_);
  return absl::OkStatus();
}

void Transfer::SetBasicAuth(const std::string& user, const std::string& password) {
  curl_easy_setopt(easy_, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
  curl_easy_setopt(easy_, CURLOPT_USERNAME, user.c_str());
  curl_easy_setopt(easy_, CURLOPT_PASSWORD, password.c_str());
}

void Transfer::SetRedirects(bool follow) {
  curl_easy_setopt(easy_, CURLOPT_FOLLOWLOCATION, follow ? 1L : 0L);
  curl_easy_setopt(easy_, CURLOPT_MAXREDIRS, kMaxRedirects);
  curl_easy_setopt(easy_, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
}

void Transfer::SetHttp2(bool enabled) {
  curl_easy_setopt(easy_, CURLOPT_HTTP_VERSION,
                   enabled ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1);
}

absl::Status Transfer::SetServerName(const std::string& name) {
  const Url url = ParseUrl(request_.url);
  if (name.empty() || Part(url, CURLUPART_SCHEME) != "https") return absl::OkStatus();
  const std::string host = Part(url, CURLUPART_HOST);
  const std::string port = Part(url, CURLUPART_PORT);
  if (curl_url_set(url.get(), CURLUPART_HOST, name.c_str(), 0) != CURLUE_OK) {
    return InvalidArgument("\"{}\" is no server_name", name);
  }
  connect_to_ =
      curl_slist_append(connect_to_, fmt::format("{}:{}:{}:{}", name, port, host, port).c_str());
  curl_easy_setopt(easy_, CURLOPT_CONNECT_TO, connect_to_);
  curl_easy_setopt(easy_, CURLOPT_URL, Part(url, CURLUPART_URL).c_str());
  if (request_.headers.Get("Host").has_value()) return absl::OkStatus();
  return AddHeader("Host", port == "443" ? host : host + ":" + port);
}

std::size_t Transfer::OnHeader(char* data, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  const std::string_view line(data, size * count);
  // A new answer begins: after 100 Continue, a redirect or a proxy's.
  if (line.starts_with("HTTP/")) {
    transfer.response_ = {};
    transfer.lease_.Reset();
    transfer.header_bytes_ = 0;
  }
  transfer.header_bytes_ += line.size();
  if (transfer.header_bytes_ > kMaxHeaderBytes) {
    transfer.cut_ =
        ResourceExhausted("the answer's header is larger than {} bytes", kMaxHeaderBytes);
    return 0;
  }
  const std::size_t colon = line.find(':');
  if (colon != std::string_view::npos) {
    transfer.response_.headers.Add(std::string(line.substr(0, colon)),
                                   FieldValue(line.substr(colon + 1)));
  }
  if (line == "\r\n" && transfer.request_.on_begin != nullptr && transfer.IsSuccess()) {
    transfer.request_.on_begin();
  }
  return line.size();
}

std::size_t Transfer::OnBody(char* data, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  if (transfer.PassesOn({data, size * count})) {
    return transfer.refused_.ok() ? size * count : 0;
  }
  transfer.cut_ = transfer.AddBody({data, size * count});
  return transfer.cut_.ok() ? size * count : 0;
}

absl::Status Transfer::AddBody(std::string_view bytes) {
  std::string& body = response_.body;
  const std::size_t size = body.size() + bytes.size();
  if (size > request_.max_body_bytes) {
    return ResourceExhausted("the answer's body is larger than {} bytes", request_.max_body_bytes);
  }
  if (size > body.capacity()) {
    const std::size_t capacity =
        std::max(size, std::min(2 * body.capacity(), request_.max_body_bytes));
    if (!lease_.Resize(capacity)) {
      return ResourceExhausted("the answers that are coming take too much memory together");
    }
    body.reserve(capacity);
  }
  body += bytes;
  return absl::OkStatus();
}

bool Transfer::PassesOn(std::string_view piece) {
  if (request_.on_body == nullptr || !IsSuccess()) return false;
  refused_ = request_.on_body(piece);
  return true;
}

bool Transfer::IsSuccess() const {
  long status = 0;
  curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
  return status / 100 == 2;
}

absl::StatusOr<Response> Transfer::Result(CURLcode result) {
  if (!refused_.ok()) return refused_;
  if (!cut_.ok()) return Named(cut_);
  if (result == CURLE_FILESIZE_EXCEEDED) {
    return Named(ResourceExhausted("the answer's body is larger than {} bytes",
                                   request_.max_announced_bytes));
  }
  if (result != CURLE_OK) {
    const std::string_view cause = error_[0] != '\0' ? error_ : curl_easy_strerror(result);
    return Named(Error(CodeOf(result), "{}", cause));
  }
  long status = 0;
  curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
  response_.status = static_cast<int>(status);
  return std::move(response_);
}

absl::Status Transfer::Named(const absl::Status& status) const {
  return WithContext(status, request_.method + " " + ShownUrl(request_.url));
}

}  // namespace stoker::http
