#include "services/common/http/coding.h"

#include <algorithm>
#include <utility>

#include "services/common/base/status.h"
#include "services/common/http/fields.h"
#include "services/common/pprof/gzip.h"

namespace stoker::http {
namespace {

constexpr std::size_t kRatioFloorBytes = std::size_t{1} << 20;

}  // namespace

absl::StatusOr<std::string> DecodeContent(std::string_view encoding, std::string body,
                                          const DecodeLimits& limits) {
  if (encoding.empty() || SameName(encoding, "identity")) {
    if (body.size() <= limits.max_bytes) return body;
    return ResourceExhausted("the body is larger than {} bytes", limits.max_bytes);
  }
  if (!SameName(encoding, "gzip")) {
    return Error(absl::StatusCode::kUnimplemented,
                 "unknown compression \"{}\": supported encodings are gzip", encoding);
  }
  if (body.empty()) return body;
  const std::size_t by_ratio = std::max(kRatioFloorBytes, body.size() * limits.max_ratio);
  return pprof::Gunzip(body, std::min(limits.max_bytes, by_ratio));
}

void CompressResponse(const Request& request, Response& response) {
  if (response.body.size() < kMinCompressedBytes) return;
  if (response.headers.Get("Content-Encoding").has_value()) return;
  response.headers.Add("Vary", "Accept-Encoding");
  if (!ListHolds(request.headers.Get("Accept-Encoding").value_or(""), "gzip")) return;
  response.body = pprof::Gzip(response.body);
  response.headers.Set("Content-Encoding", "gzip");
}

}  // namespace stoker::http
