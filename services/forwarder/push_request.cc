#include "services/forwarder/push_request.h"

#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "proto/push/v1/push.pb.h"
#include "services/common/runtime/version.h"
#include "services/forwarder/write_labels.h"

namespace stoker::forwarder {
namespace {

constexpr char kPushPath[] = "/push.v1.PusherService/Push";
constexpr char kTenantHeader[] = "X-Scope-OrgID";

std::string WithoutSlash(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

bool IsUnreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("-_.~").find(c) != std::string_view::npos;
}

std::string Escape(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (IsUnreserved(c)) {
      escaped += c;
    } else {
      escaped += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return escaped;
}

// The query with its `name` replaced.
std::string WithName(std::string_view query, const std::string& name) {
  std::string result = "name=" + Escape(name);
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view part = query.substr(0, end);
    const bool is_name = part == "name" || part.starts_with("name=");
    if (!part.empty() && !is_name) result.append("&").append(part);
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  return result;
}

std::string PushBody(const PushTarget& target, profile::v1::Profile& profile) {
  push::v1::PushRequest request;
  push::v1::RawProfileSeries& series = *request.add_series();
  for (const model::LabelView label : PushLabels(profile.labels(), target.external_labels)) {
    types::v1::LabelPair& pair = *series.add_labels();
    pair.set_name(label.name.data(), label.name.size());
    pair.set_value(label.value.data(), label.value.size());
  }
  push::v1::RawSample& sample = *series.add_samples();
  sample.set_id(UuidText(profile.id()));
  sample.set_raw_profile(std::move(*profile.mutable_pprof()));
  return request.SerializeAsString();
}

HttpPost MakePush(const PushTarget& target, profile::v1::Profile& profile) {
  HttpPost post{.url = WithoutSlash(target.endpoint.url) + kPushPath};
  post.headers.Set("Content-Type", "application/proto");
  post.headers.Set("Connect-Protocol-Version", "1");
  post.headers.Set("Connect-Timeout-Ms",
                   fmt::to_string(absl::ToInt64Milliseconds(target.endpoint.remote_timeout)));
  post.body = PushBody(target, profile);
  return post;
}

HttpPost MakeIngest(const PushTarget& target, profile::v1::Profile& profile) {
  profile::v1::Ingest& ingest = *profile.mutable_ingest();
  const std::string name = IngestName(profile.labels(), target.external_labels);
  const char* slash = ingest.path().starts_with('/') ? "" : "/";
  HttpPost post{.url = WithoutSlash(target.endpoint.url) + slash + ingest.path() + "?" +
                       WithName(ingest.query(), name)};
  post.body = std::move(*ingest.mutable_body());
  return post;
}

}  // namespace

HttpPost MakePost(const PushTarget& target, profile::v1::Profile profile) {
  const bool ingest = profile.has_ingest();
  const std::string content_type = ingest ? profile.ingest().content_type() : "";
  HttpPost post = ingest ? MakeIngest(target, profile) : MakePush(target, profile);
  post.timeout = target.endpoint.remote_timeout;
  post.headers.Set("User-Agent", UserAgent());
  const std::string& tenant = profile.tenant().empty() ? target.tenant : profile.tenant();
  if (!tenant.empty()) post.headers.Set(kTenantHeader, tenant);
  for (const auto& [name, value] : target.endpoint.headers) post.headers.Set(name, value);
  if (!content_type.empty()) post.headers.Set("Content-Type", content_type);
  return post;
}

std::string UuidText(const std::string& id) {
  std::string text;
  for (std::size_t i = 0; i < id.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += fmt::format("{:02x}", static_cast<unsigned char>(id[i]));
  }
  return text;
}

std::string PublicUrl(const std::string& url) {
  const std::size_t scheme = url.find("://");
  const std::size_t begin = scheme == std::string::npos ? 0 : scheme + 3;
  const std::size_t at = url.substr(0, url.find('/', begin)).rfind('@');
  return at == std::string::npos || at < begin ? url : url.substr(0, begin) + url.substr(at + 1);
}

std::string UserAgent() { return std::string("Stoker/") + runtime::kVersion; }

}  // namespace stoker::forwarder
