#include "services/discovery/kubernetes/reflector.h"

#include <algorithm>
#include <array>
#include <utility>

#include "services/common/base/random.h"
#include "services/common/base/status.h"
#include "services/common/http/shown_url.h"

namespace stoker::discovery::kubernetes {
namespace {

constexpr std::int64_t kPageSize = 500;
constexpr std::size_t kMaxPageBytes = std::size_t{32} << 20;
constexpr std::size_t kMaxLineBytes = std::size_t{16} << 20;
// The server ends a watch after 5 to 10 minutes, so that not all come again at once.
constexpr std::uint64_t kWatchSeconds = 300;
constexpr absl::Duration kWatchGrace = absl::Seconds(30);
// A watch that lived so long was one, even if nothing happened.
constexpr absl::Duration kLivelyWatch = absl::Seconds(5);
constexpr absl::Duration kFirstRetry = absl::Seconds(1);
constexpr absl::Duration kLastRetry = absl::Seconds(30);

// An HTTP status or an error's code: what was asked for is no longer kept.
constexpr int kGone = 410;

std::string Escape(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) {
      escaped += c;
    } else {
      escaped += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return escaped;
}

bool IsGone(const absl::Status& status) { return status.code() == absl::StatusCode::kOutOfRange; }

// Whether a watch that ended so cannot be taken up where it was: the server has forgotten the
// place, or what comes there cannot be read.
bool MustListAnew(const absl::Status& status) {
  return IsGone(status) || status.code() == absl::StatusCode::kInvalidArgument ||
         status.code() == absl::StatusCode::kResourceExhausted;
}

absl::StatusCode CodeOf(int http_status) {
  switch (http_status) {
    case 401:
      return absl::StatusCode::kUnauthenticated;
    case 403:
      return absl::StatusCode::kPermissionDenied;
    case 404:
      return absl::StatusCode::kNotFound;
    case kGone:
      return absl::StatusCode::kOutOfRange;
    default:
      return absl::StatusCode::kUnavailable;
  }
}

// What an answer with another status than 200 means.
absl::Status StatusOf(const http::Response& response) {
  constexpr std::size_t kMaxMessage = 500;
  const std::string message = ParseErrorMessage(response.body).substr(0, kMaxMessage);
  return Error(CodeOf(response.status), "server returned HTTP status {}{}{}", response.status,
               message.empty() ? "" : ": ", message);
}

}  // namespace

std::string_view ResourceName(Resource resource) {
  static constexpr std::array<std::string_view, 7> kNames = {
      "pods", "nodes", "services", "endpoints", "endpointslices", "ingresses", "namespaces"};
  return kNames[static_cast<std::size_t>(resource)];
}

std::string ResourcePath(Resource resource, const std::string& namespace_name) {
  std::string_view group = "/api/v1";
  if (resource == Resource::kEndpointSlices) group = "/apis/discovery.k8s.io/v1";
  if (resource == Resource::kIngresses) group = "/apis/networking.k8s.io/v1";
  const bool whole =
      namespace_name.empty() || resource == Resource::kNodes || resource == Resource::kNamespaces;
  return fmt::format("{}{}{}/{}", group, whole ? "" : "/namespaces/",
                     whole ? "" : Escape(namespace_name), ResourceName(resource));
}

Reflector::Reflector(const config::DiscoveryKubernetes& arguments, PodSurroundings surroundings,
                     ObjectQuery query, Clock& clock, ReflectorSink& sink, ReflectorLimits limits)
    : arguments_(arguments),
      surroundings_(std::move(surroundings)),
      query_(std::move(query)),
      clock_(clock),
      sink_(sink),
      limits_(limits),
      page_size_(kPageSize),
      thread_([this] { Run(); }) {}

Reflector::~Reflector() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    if (fetcher_ != nullptr) fetcher_->Interrupt();
  }
  thread_.join();
}

void Reflector::Run() {
  while (true) {
    const absl::Duration pause = Step();
    absl::MutexLock lock(&mutex_);
    if (mutex_.AwaitWithTimeout(absl::Condition(&stopping_), pause)) return;
  }
}

absl::Duration Reflector::Step() {
  retry_after_ = absl::ZeroDuration();
  absl::Status status = Connect();
  if (status.ok() && !listed_) {
    status = List();
    listed_ = status.ok();
    if (status.ok()) SetStatus(status);
  }
  bool began = false;
  bool lively = false;
  if (status.ok()) {
    const absl::Duration begin = clock_.Monotonic();
    status = Watch(began);
    lively = began && (events_in_watch_ > 0 || clock_.Monotonic() - begin > kLivelyWatch);
  }
  if (MustListAnew(status)) listed_ = false;
  fruitless_ = lively ? 0 : fruitless_ + 1;
  // A server that answers is not waited for long.
  if (began) fruitless_ = std::min<std::uint64_t>(fruitless_, 2);
  // That a watch breaks, or must begin anew, is no failure before that fails too.
  const bool ordinary = status.ok() || began || IsGone(status);
  if (ordinary && fruitless_ <= 1) return absl::ZeroDuration();
  if (!status.ok()) SetStatus(status);
  const std::uint64_t doublings = std::min<std::uint64_t>(fruitless_ - 1, 5);
  return std::max(retry_after_,
                  std::min(kLastRetry, kFirstRetry * (std::uint64_t{1} << doublings)));
}

absl::Status Reflector::Connect() {
  STOKER_ASSIGN_OR_RETURN(ClusterAccess access, FindCluster(arguments_, surroundings_));
  if (query_.own_namespace && access.own_namespace.empty()) {
    return FailedPrecondition("the namespace of this pod cannot be read from {}/namespace",
                              surroundings_.service_account);
  }
  if (access_ == access) return absl::OkStatus();
  absl::MutexLock lock(&mutex_);
  if (stopping_) return absl::CancelledError("stopping");
  fetcher_ = std::make_unique<Fetcher>(access.client);
  access_ = std::move(access);
  return absl::OkStatus();
}

absl::StatusOr<http::Response> Reflector::Fetch(http::ClientRequest request) {
  Fetcher* fetcher = nullptr;
  {
    absl::MutexLock lock(&mutex_);
    // Only this thread replaces it.
    fetcher = fetcher_.get();
  }
  absl::StatusOr<http::Response> response = fetcher->Fetch(std::move(request));
  retry_after_ = fetcher->retry_after();
  return response;
}

std::string Reflector::Url(const std::string& query) const {
  const std::string& name = query_.own_namespace ? access_->own_namespace : query_.namespace_name;
  std::string url = access_->url + ResourcePath(query_.resource, name) + "?" + query;
  const auto add = [&url](std::string_view key, const std::string& selector) {
    if (!selector.empty()) url += fmt::format("&{}={}", key, Escape(selector));
  };
  add("labelSelector", query_.label_selector);
  add("fieldSelector", query_.field_selector);
  return url;
}

absl::Status Reflector::ListPage(ObjectPage& page) {
  std::string query = fmt::format("limit={}", page_size_);
  if (!page.continue_token.empty()) query += "&continue=" + Escape(page.continue_token);
  STOKER_ASSIGN_OR_RETURN(const http::Response response,
                          Fetch({.url = Url(query),
                                 .headers = {{"Accept", "application/json"}},
                                 .timeout = limits_.page,
                                 .max_body_bytes = kMaxPageBytes,
                                 .idle_timeout = limits_.page_idle}));
  const std::string place = http::ShownUrl(Url(""));
  if (response.status != 200) return WithContext(StatusOf(response), place);
  auto parsed = ParseList(query_.resource, response.body);
  if (!parsed.ok()) return WithContext(parsed.status(), place);
  page = *std::move(parsed);
  return absl::OkStatus();
}

absl::Status Reflector::List() {
  Count(&Counts::lists);
  sink_.ListBegins();
  ObjectPage page;
  std::string resource_version;
  bool more = true;
  while (more) {
    const absl::Status status = ListPage(page);
    if (status.code() == absl::StatusCode::kResourceExhausted && page_size_ > 1) {
      // Objects may be large. The same page again.
      page_size_ = std::max<std::int64_t>(1, page_size_ / 4);
      continue;
    }
    STOKER_RETURN_IF_ERROR(status);
    if (resource_version.empty()) resource_version = page.resource_version;
    for (Object& object : page.objects) sink_.Put(std::move(object));
    page.objects.clear();
    more = !page.continue_token.empty();
  }
  if (resource_version.empty()) return InvalidArgument("the list has no resourceVersion");
  page_size_ = kPageSize;
  SetResourceVersion(std::move(resource_version));
  sink_.ListEnds();
  return absl::OkStatus();
}

absl::Status Reflector::Watch(bool& began) {
  Count(&Counts::watches);
  line_.clear();
  events_in_watch_ = 0;
  const std::uint64_t seconds = kWatchSeconds + SystemRandom().Next() % kWatchSeconds;
  std::string from;
  {
    absl::MutexLock lock(&mutex_);
    from = resource_version_;
  }
  const absl::StatusOr<http::Response> response = Fetch(
      {.url =
           Url(fmt::format("watch=1&allowWatchBookmarks=true&resourceVersion={}&timeoutSeconds={}",
                           Escape(from), seconds)),
       .headers = {{"Accept", "application/json"}},
       .timeout = absl::Seconds(seconds) + kWatchGrace,
       .on_body = [this](std::string_view piece) { return Take(piece); },
       .on_begin =
           [&] {
             began = true;
             SetStatus(absl::OkStatus());
           },
       .idle_timeout = limits_.watch_idle});
  if (!response.ok()) return response.status();
  if (response->status == 200) return absl::OkStatus();
  return WithContext(StatusOf(*response), http::ShownUrl(Url("")));
}

absl::Status Reflector::Take(std::string_view piece) {
  for (std::size_t end = piece.find('\n'); end != std::string_view::npos; end = piece.find('\n')) {
    const std::string_view rest = piece.substr(0, end);
    if (line_.empty()) {
      STOKER_RETURN_IF_ERROR(TakeLine(rest));
    } else {
      line_ += rest;
      STOKER_RETURN_IF_ERROR(TakeLine(std::exchange(line_, {})));
    }
    piece.remove_prefix(end + 1);
  }
  if (line_.size() + piece.size() > kMaxLineBytes) {
    return ResourceExhausted("an event of the watch is larger than {} bytes", kMaxLineBytes);
  }
  line_ += piece;
  return absl::OkStatus();
}

absl::Status Reflector::TakeLine(std::string_view line) {
  if (line.find_first_not_of(" \t\r") == std::string_view::npos) return absl::OkStatus();
  auto event = ParseEvent(query_.resource, line);
  if (!event.ok()) return WithContext(event.status(), http::ShownUrl(Url("")) + ": watch");
  switch (event->type) {
    case WatchEvent::Type::kPut:
      sink_.Put(*std::move(event->object));
      break;
    case WatchEvent::Type::kRemove:
      sink_.Remove(*event->object);
      break;
    case WatchEvent::Type::kError:
      return Error(CodeOf(event->code), "{}: the watch ended: {} {}", http::ShownUrl(Url("")),
                   event->code, event->message);
    case WatchEvent::Type::kBookmark:
    case WatchEvent::Type::kUnknown:
      break;
  }
  if (!event->resource_version.empty()) SetResourceVersion(std::move(event->resource_version));
  ++events_in_watch_;
  Count(&Counts::events);
  return absl::OkStatus();
}

void Reflector::SetStatus(const absl::Status& status) {
  {
    absl::MutexLock lock(&mutex_);
    if (stopping_) return;
    if (!status.ok()) ++counts_.failures;
    if (status == status_) return;
    status_ = status;
  }
  sink_.SetStatus(status);
}

void Reflector::Count(std::uint64_t Counts::* counter) {
  absl::MutexLock lock(&mutex_);
  ++(counts_.*counter);
}

void Reflector::SetResourceVersion(std::string version) {
  absl::MutexLock lock(&mutex_);
  resource_version_ = std::move(version);
}

nlohmann::json Reflector::DebugState() const {
  absl::MutexLock lock(&mutex_);
  return {{"resource", ResourceName(query_.resource)},
          {"namespace", query_.own_namespace ? "(own)" : query_.namespace_name},
          {"label_selector", query_.label_selector},
          {"field_selector", query_.field_selector},
          {"lists", counts_.lists},
          {"watches", counts_.watches},
          {"events", counts_.events},
          {"failures", counts_.failures},
          {"resource_version", resource_version_},
          {"status", status_.ok() ? "OK" : std::string(Message(status_))}};
}

}  // namespace stoker::discovery::kubernetes
