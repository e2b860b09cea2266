#include "services/scraper/scrape_body.h"

#include <utility>

#include <xxhash.h>

#include "services/common/base/status.h"
#include "services/common/base/utf8.h"
#include "services/common/wire/labels.h"
#include "services/scraper/profile_check.h"

namespace stoker::scraper {
namespace {

// Of an error's body, in the message.
constexpr std::size_t kShownBytes = 200;
// A profile's own time is believed within it.
constexpr absl::Duration kBelievable = absl::Hours(1);

std::string_view Trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

// See Profile.id.
std::string Id(const ScrapeJob& job, const BodyContext& context) {
  const std::string parts[] = {context.node, context.component_id, job.Identity(), context.tenant,
                               std::to_string(absl::ToUnixNanos(context.start))};
  std::string bytes;
  for (const std::string& part : parts) bytes += fmt::format("{}:{}", part.size(), part);
  XXH128_canonical_t id;
  XXH128_canonicalFromHash(&id, XXH3_128bits(bytes.data(), bytes.size()));
  return {reinterpret_cast<const char*>(id.digest), sizeof id.digest};
}

std::int64_t StartOf(std::int64_t time_nanos, absl::Time start) {
  const absl::Time own = absl::FromUnixNanos(time_nanos);
  const bool believable = own > start - kBelievable && own < start + kBelievable;
  return believable ? time_nanos : absl::ToUnixNanos(start);
}

}  // namespace

absl::Status CheckStatus(const http::Response& response) {
  if (response.status == 200) return absl::OkStatus();
  std::string text = ToValidUtf8(Trimmed(std::string_view(response.body).substr(0, kShownBytes)));
  return FailedPrecondition("server returned HTTP status ({}){}{}", response.status,
                            text.empty() ? "" : " ", text);
}

absl::StatusOr<ScrapeResult> ReadBody(const ScrapeJob& job, const BodyContext& context,
                                      std::string body, ProfileDifference& difference) {
  STOKER_ASSIGN_OR_RETURN(CheckedProfile checked, CheckProfile(body, context.max_profile_bytes));
  ScrapeResult result;
  if (job.take_difference) {
    auto next = difference.Next(checked.inflated);
    // One that has nothing to subtract goes as it came.
    if (!next.ok() && !absl::IsFailedPrecondition(next.status())) return next.status();
    if (next.ok()) {
      if (!next->pprof.has_value()) return result;
      result.reset = next->reset;
      body = *std::move(next->pprof);
      checked.samples = next->samples;
      checked.duration_nanos = next->duration_nanos;
    }
  }
  if (checked.samples == 0) return result;
  result.profile = std::make_shared<profile::v1::Profile>();
  profile::v1::Profile& profile = *result.profile;
  profile.set_id(Id(job, context));
  for (const std::string& receiver : context.receivers) profile.add_receivers(receiver);
  wire::ToProto(job.labels, profile.mutable_labels());
  profile.set_tenant(context.tenant);
  profile.set_start_ns(StartOf(checked.time_nanos, context.start));
  profile.set_duration_ns(checked.duration_nanos);
  profile.set_producer(context.component_id);
  profile.set_samples(checked.samples);
  profile.set_pprof(std::move(body));
  return result;
}

std::string ReasonOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return "success";
    case absl::StatusCode::kFailedPrecondition:
      return "http_status";
    case absl::StatusCode::kDeadlineExceeded:
      return "timeout";
    case absl::StatusCode::kUnavailable:
      return "unreachable";
    case absl::StatusCode::kResourceExhausted:
      return "too_large";
    case absl::StatusCode::kInvalidArgument:
      return "invalid_profile";
    case absl::StatusCode::kCancelled:
      return "cancelled";
    default:
      return "other";
  }
}

}  // namespace stoker::scraper
