#include "services/store/routes.h"

#include <memory>
#include <utility>

#include <absl/synchronization/mutex.h>

#include "services/common/base/status.h"
#include "services/common/http/connect.h"
#include "services/store/diagnosis_file.h"
#include "services/store/page/page_assets.h"

namespace stoker::store {
namespace {

// Pyroscope's ingestion_body_limit_mb.
constexpr std::size_t kMaxPushBytes = 256 << 20;
constexpr std::size_t kMaxQueryBytes = 4 << 20;

// The page is one script, one style and one picture of this store, and asks nobody but it.
constexpr char kContentSecurityPolicy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

// Whether the caller reads label names beyond the classic ones (pyroscope.md 0.5).
bool AcceptsUtf8Names(const http::Request& request) {
  return request.headers.Get("accept").value_or("").find("allow-utf8-labelnames=true") !=
         std::string_view::npos;
}

// Whether the message may take so much memory that only one such is dealt with at a time: what is
// compressed may grow 256-fold (coding.h).
bool MayBeLarge(const http::Request& request) {
  constexpr std::size_t kLargeBytes = 32 << 20;
  const bool compressed = request.headers.Get("Content-Encoding").has_value() ||
                          request.headers.Get("grpc-encoding").has_value();
  return request.body.size() > kLargeBytes / (compressed ? 256 : 1);
}

void AddWriteApi(Pusher& pusher, const AddRoute& add) {
  http::Handler push = http::Unary<push::v1::PushRequest, push::v1::PushResponse>(
      [&](const push::v1::PushRequest& request, const http::Context&) {
        return pusher.Push(request);
      },
      {.max_message_bytes = kMaxPushBytes});
  const auto large = std::make_shared<absl::Mutex>();
  add("*", "/push.v1.PusherService/Push",
      [push = std::move(push), large](const http::Request& request) {
        if (!MayBeLarge(request)) return push(request);
        absl::MutexLock one_at_a_time(large.get());
        return push(request);
      });
}

// A call of QuerierService that needs nothing but its request.
template <typename Req, typename Res>
void AddQuery(const Querier& querier, const std::string& name,
              absl::StatusOr<Res> (Querier::*method)(const Req&) const, const AddRoute& add) {
  add("*", "/querier.v1.QuerierService/" + name,
      http::Unary<Req, Res>(
          [&querier, method](const Req& request, const http::Context&) {
            return (querier.*method)(request);
          },
          {.max_message_bytes = kMaxQueryBytes}));
}

// A call whose answer depends on what label names the caller reads.
template <typename Req, typename Res>
void AddNamesQuery(const Querier& querier, const std::string& name,
                   absl::StatusOr<Res> (Querier::*method)(const Req&, bool) const,
                   const AddRoute& add) {
  add("*", "/querier.v1.QuerierService/" + name,
      http::Unary<Req, Res>(
          [&querier, method](const Req& request, const http::Context& context) {
            return (querier.*method)(request, AcceptsUtf8Names(context.request));
          },
          {.max_message_bytes = kMaxQueryBytes}));
}

void AddReadApi(const Querier& querier, const AddRoute& add) {
  AddQuery(querier, "ProfileTypes", &Querier::ProfileTypes, add);
  AddQuery(querier, "LabelValues", &Querier::LabelValues, add);
  AddNamesQuery(querier, "LabelNames", &Querier::LabelNames, add);
  AddNamesQuery(querier, "Series", &Querier::Series, add);
  AddQuery(querier, "SelectMergeStacktraces", &Querier::SelectMergeStacktraces, add);
  AddQuery(querier, "SelectMergeSpanProfile", &Querier::SelectMergeSpanProfile, add);
  AddQuery(querier, "SelectHeatmap", &Querier::SelectHeatmap, add);
  AddQuery(querier, "SelectMergeProfile", &Querier::SelectMergeProfile, add);
  AddQuery(querier, "SelectSeries", &Querier::SelectSeries, add);
  AddQuery(querier, "Diff", &Querier::Diff, add);
  AddQuery(querier, "GetProfileStats", &Querier::GetProfileStats, add);
  AddQuery(querier, "AnalyzeQuery", &Querier::AnalyzeQuery, add);
}

void AddPage(const AddRoute& add) {
  for (const Asset& asset : PageAssets()) {
    const http::Handler show = [&asset](const http::Request& request) {
      // "/" is asked for every path that has no handler.
      if (request.path != asset.path) return http::Text(404, "404 page not found\n");
      http::Response response;
      response.headers.Add("Content-Type", std::string(asset.content_type));
      if (asset.gzip) response.headers.Add("Content-Encoding", "gzip");
      response.headers.Add("Cache-Control", asset.path.starts_with("/assets/")
                                                ? "public, max-age=31536000, immutable"
                                                : "no-cache");
      response.headers.Add("X-Content-Type-Options", "nosniff");
      response.headers.Add("Referrer-Policy", "no-referrer");
      response.headers.Add("Content-Security-Policy", kContentSecurityPolicy);
      response.body = asset.bytes;
      return response;
    };
    add("GET", std::string(asset.path), show);
    if (asset.path == "/") add("HEAD", "/", show);
  }
  // A call that is not known is not there, rather than there for GET.
  add("*", "/", [](const http::Request& request) {
    if (request.path != "/") return http::Text(404, "404 page not found\n");
    http::Response response = http::Text(405, "method not allowed\n");
    response.headers.Add("Allow", "GET, HEAD");
    return response;
  });
}

}  // namespace

void AddRoutes(Pusher& pusher, const Querier& querier, const LegacyApi& legacy,
               const AddRoute& add) {
  AddWriteApi(pusher, add);
  AddReadApi(querier, add);
  add("GET", "/pyroscope/render",
      [&](const http::Request& request) { return legacy.Render(request); });
  add("GET", "/pyroscope/render-diff",
      [&](const http::Request& request) { return legacy.RenderDiff(request); });
  add("GET", "/pyroscope/label-values",
      [&](const http::Request& request) { return legacy.LabelValues(request); });
  add("GET", "/ready", [](const http::Request&) { return http::Text(200, "ready"); });
  AddPage(add);
}

void AddDiagnosis(std::string path, const AddRoute& add) {
  add("GET", "/api/v1/diagnosis", [path = std::move(path)](const http::Request&) {
    const auto checks = ReadDiagnosisFile(path);
    if (!checks.ok()) return http::Text(500, std::string(Message(checks.status())) + "\n");
    return http::Json(200, *checks);
  });
}

}  // namespace stoker::store
