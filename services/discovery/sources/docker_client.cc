#include "services/discovery/sources/docker_client.h"

#include <cerrno>
#include <cstddef>
#include <utility>

#include <absl/strings/numbers.h>
#include <absl/strings/strip.h>
#include <sys/stat.h>
#include <unistd.h>

#include "services/common/base/status.h"
#include "services/common/http/shown_url.h"
#include "services/discovery/sources/json_members.h"

namespace stoker::discovery {
namespace {

constexpr std::size_t kMaxAnswerBytes = std::size_t{64} << 20;
// Names, values, begins and ends: of 10,000 containers some million. Few bytes can stand for many.
constexpr std::size_t kMaxParts = 4'000'000;
// The newest version whose answers we know, and what a daemon speaks that names none.
constexpr int kNewestMinor = 51;
constexpr int kOldestMinor = 24;

// What stands in the way of using the socket at `path`; OK when nothing does.
absl::Status CheckSocket(const std::string& path) {
  struct stat found = {};
  if (stat(path.c_str(), &found) != 0) {
    if (errno != ENOENT) return ErrnoError(errno, path);
    return NotFound("there is no socket {}: is Docker running?", path);
  }
  if (access(path.c_str(), R_OK | W_OK) == 0) return absl::OkStatus();
  return PermissionDenied(
      "not permitted to use {} (owner {}, group {}, mode {:04o}): this process has uid {} and is "
      "not "
      "in that group; `stoker run` gives it the group when it starts as root",
      path, found.st_uid, found.st_gid, found.st_mode & 07777, geteuid());
}

// Discarded where it is not JSON, or has too many parts.
nlohmann::json Parse(const std::string& text, bool& too_many) {
  std::size_t parts = 0;
  const auto keep = [&parts](int, nlohmann::json::parse_event_t, const nlohmann::json&) {
    return ++parts <= kMaxParts;
  };
  auto json = nlohmann::json::parse(text, keep, /*allow_exceptions=*/false);
  too_many = parts > kMaxParts;
  return json;
}

std::string PercentEncoded(std::string_view text) {
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (absl::ascii_isalnum(byte) || c == '-' || c == '_' || c == '.' || c == '~') {
      encoded += c;
    } else {
      encoded += fmt::format("%{:02X}", byte);
    }
  }
  return encoded;
}

}  // namespace

absl::StatusOr<DockerHost> ParseDockerHost(std::string_view host,
                                           const config::HttpClientConfig& client) {
  const std::size_t colon = host.find("://");
  if (colon == std::string_view::npos) {
    return InvalidArgument(
        "`{}` is no Docker host: it wants the form unix:///path or tcp://host:port", host);
  }
  const std::string_view scheme = host.substr(0, colon);
  const std::string_view rest = host.substr(colon + 3);
  if (rest.empty()) return InvalidArgument("`{}` names no Docker host", host);
  if (scheme == "unix") return DockerHost{"http://docker", std::string(rest), {}};
  if (scheme != "tcp" && scheme != "http" && scheme != "https") {
    return InvalidArgument("`{}`: a Docker host is unix, tcp, http or https", host);
  }
  const bool tls = scheme == "https" || (scheme == "tcp" && client.tls != config::TlsConfig{});
  DockerHost parsed{fmt::format("{}://{}", tls ? "https" : "http", rest), "", client};
  while (parsed.url.ends_with('/')) parsed.url.pop_back();
  return parsed;
}

std::string DockerFilters(const std::vector<config::DockerFilter>& filters) {
  if (filters.empty()) return "";
  nlohmann::json json = nlohmann::json::object();
  for (const config::DockerFilter& filter : filters) {
    nlohmann::json& values = json[filter.name];
    for (const std::string& value : filter.values) values[value] = true;
  }
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

absl::StatusOr<http::Response> DockerClient::Fetch(http::ClientRequest request) {
  absl::StatusOr<http::Response> response = fetcher_.Fetch(std::move(request));
  if (response.status().code() != absl::StatusCode::kUnavailable || host_.unix_socket.empty()) {
    return response;
  }
  const absl::Status reason = CheckSocket(host_.unix_socket);
  return reason.ok() ? WithContext(response.status(), host_.unix_socket) : reason;
}

absl::Status DockerClient::Negotiate() {
  http::ClientRequest ping{.url = host_.url + "/_ping", .unix_socket = host_.unix_socket};
  STOKER_ASSIGN_OR_RETURN(const http::Response response, Fetch(std::move(ping)));
  if (response.status != 200) {
    return Unavailable("{}: HTTP status {}", http::ShownUrl(host_.url + "/_ping"), response.status);
  }
  absl::string_view version;
  const std::string_view announced = response.headers.Get("Api-Version").value_or("");
  version = {announced.data(), announced.size()};
  int minor = kOldestMinor;
  if (absl::ConsumePrefix(&version, "1.") && !absl::SimpleAtoi(version, &minor)) {
    minor = kOldestMinor;
  }
  version_ = fmt::format("1.{}", std::min(minor, kNewestMinor));
  return absl::OkStatus();
}

absl::StatusOr<http::ClientRequest> DockerClient::Request(std::string_view path,
                                                          const Query& query) {
  if (version_.empty()) STOKER_RETURN_IF_ERROR(Negotiate());
  std::string url = fmt::format("{}/v{}{}", host_.url, version_, path);
  char separator = '?';
  for (const auto& [name, value] : query) {
    if (value.empty()) continue;
    url += fmt::format("{}{}={}", separator, name, PercentEncoded(value));
    separator = '&';
  }
  return http::ClientRequest{
      .url = std::move(url), .max_body_bytes = kMaxAnswerBytes, .unix_socket = host_.unix_socket};
}

absl::StatusOr<nlohmann::json> DockerClient::List(std::string_view path, const Query& query) {
  STOKER_ASSIGN_OR_RETURN(http::ClientRequest request, Request(path, query));
  const absl::StatusOr<http::Response> response = Fetch(std::move(request));
  if (!response.ok() || response->status != 200) version_.clear();
  if (!response.ok()) return response.status();
  const std::string place = host_.unix_socket.empty()
                                ? http::ShownUrl(fmt::format("{}{}", host_.url, path))
                                : fmt::format("unix://{}: {}", host_.unix_socket, path);
  bool too_many = false;
  nlohmann::json json = Parse(response->body, too_many);
  if (response->status != 200) {
    const std::string said = TextMember(json, "message");
    return Unavailable("{}: HTTP status {}{}{}", place, response->status, said.empty() ? "" : ": ",
                       said);
  }
  if (too_many) return ResourceExhausted("{}: the answer has more than {} parts", place, kMaxParts);
  if (!json.is_array()) return InvalidArgument("{}: the answer is no list", place);
  return json;
}

}  // namespace stoker::discovery
