#include "services/discovery/sources/http_poller.h"

#include <utility>

#include <absl/strings/match.h>
#include <absl/strings/strip.h>

#include "services/common/base/status.h"
#include "services/common/http/shown_url.h"
#include "services/discovery/sources/target_groups.h"

namespace stoker::discovery {
namespace {

constexpr std::size_t kMaxAnswerBytes = std::size_t{64} << 20;

// `application/json`, perhaps with a charset, which must be UTF-8: as Prometheus' HTTP discovery
// has it.
bool IsJson(std::string_view content_type) {
  const auto lower = absl::AsciiStrToLower({content_type.data(), content_type.size()});
  absl::string_view rest = lower;
  if (!absl::ConsumePrefix(&rest, "application/json")) return false;
  rest = absl::StripAsciiWhitespace(rest);
  if (rest.empty()) return true;
  if (!absl::ConsumePrefix(&rest, ";")) return false;
  rest = absl::StripAsciiWhitespace(rest);
  return rest.empty() || rest == "charset=utf-8" || rest == "charset=\"utf-8\"";
}

}  // namespace

absl::StatusOr<model::TargetVector> HttpPoller::Ask() {
  http::ClientRequest request{.url = arguments_.url, .max_body_bytes = kMaxAnswerBytes};
  request.headers.Set("Accept", "application/json");
  request.headers.Set("X-Prometheus-Refresh-Interval-Seconds",
                      fmt::format("{:f}", absl::ToDoubleSeconds(arguments_.refresh_interval)));
  STOKER_ASSIGN_OR_RETURN(const http::Response response, fetcher_.Fetch(std::move(request)));
  const std::string shown_url = http::ShownUrl(arguments_.url);
  if (response.status != 200) {
    return Unavailable("{}: server returned HTTP status {}", shown_url, response.status);
  }
  const std::string_view type = response.headers.Get("Content-Type").value_or("");
  if (!IsJson(type)) {
    return InvalidArgument("{}: unsupported content type `{}`", shown_url, type);
  }
  absl::StatusOr<std::vector<TargetGroup>> groups = ParseJsonGroups(response.body);
  if (!groups.ok()) return WithContext(groups.status(), shown_url);
  std::vector<KeptTargets::Found> found;
  for (std::size_t i = 0; i < groups->size(); ++i) {
    TargetGroup& group = (*groups)[i];
    group.labels.Set("__meta_url", arguments_.url);
    for (const std::string& address : group.addresses) {
      model::Labels labels = group.labels;
      labels.Set("__address__", address);
      found.push_back({fmt::format("{}/{}", i, address), std::move(labels)});
    }
  }
  return targets_.Make(std::move(found));
}

}  // namespace stoker::discovery
