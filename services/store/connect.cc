#include "services/store/connect.h"

#include <algorithm>
#include <cctype>
#include <string>
#include <utility>

#include <google/protobuf/util/json_util.h>
#include <nlohmann/json.hpp>

#include "services/common/base/status.h"
#include "services/common/pprof/gzip.h"

namespace stoker::store {
namespace {

struct CodeName {
  absl::StatusCode code;
  const char* name;
  int http_status;
};

// Connect's names and HTTP statuses of errors (pyroscope.md 0.3).
constexpr CodeName kCodes[] = {
    {absl::StatusCode::kCancelled, "canceled", 499},
    {absl::StatusCode::kUnknown, "unknown", 500},
    {absl::StatusCode::kInvalidArgument, "invalid_argument", 400},
    {absl::StatusCode::kDeadlineExceeded, "deadline_exceeded", 504},
    {absl::StatusCode::kNotFound, "not_found", 404},
    {absl::StatusCode::kAlreadyExists, "already_exists", 409},
    {absl::StatusCode::kPermissionDenied, "permission_denied", 403},
    {absl::StatusCode::kResourceExhausted, "resource_exhausted", 429},
    {absl::StatusCode::kFailedPrecondition, "failed_precondition", 400},
    {absl::StatusCode::kAborted, "aborted", 409},
    {absl::StatusCode::kOutOfRange, "out_of_range", 400},
    {absl::StatusCode::kUnimplemented, "unimplemented", 501},
    {absl::StatusCode::kInternal, "internal", 500},
    {absl::StatusCode::kDataLoss, "data_loss", 500},
    {absl::StatusCode::kUnavailable, "unavailable", 503},
    {absl::StatusCode::kUnauthenticated, "unauthenticated", 401},
};

http::Response ConnectError(const absl::Status& status) {
  const auto* const code = std::ranges::find(kCodes, status.code(), &CodeName::code);
  const CodeName& known = code == std::end(kCodes) ? kCodes[1] : *code;
  const nlohmann::json body = {{"code", known.name}, {"message", std::string(Message(status))}};
  return http::Json(known.http_status,
                    body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

// What gRPC puts in the grpc-message trailer: percent-coded beyond printable ASCII.
std::string PercentEncode(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c >= 0x20 && c < 0x7f && c != '%') {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

http::Response GrpcResponse(std::string_view content_type, std::string body,
                            const absl::Status& status) {
  http::Response response;
  response.headers.Add("Content-Type", std::string(content_type));
  response.headers.Add("grpc-accept-encoding", "gzip");
  response.body = std::move(body);
  response.trailers.Add("grpc-status", std::to_string(static_cast<int>(status.code())));
  if (!status.ok()) response.trailers.Add("grpc-message", PercentEncode(Message(status)));
  return response;
}

// The media type in lower case, without parameters.
std::string MediaType(const http::Request& request) {
  std::string type(request.headers.Get("content-type").value_or(""));
  type.resize(std::min(type.size(), type.find(';')));
  while (!type.empty() && type.back() == ' ') type.pop_back();
  std::ranges::transform(type, type.begin(), [](unsigned char c) { return std::tolower(c); });
  return type;
}

absl::StatusOr<std::string> Decompress(std::string_view coding, std::string_view body,
                                       std::size_t max_bytes) {
  if (coding.empty() || coding == "identity") return std::string(body);
  if (coding == "gzip") return pprof::Gunzip(body, max_bytes);
  return Error(absl::StatusCode::kUnimplemented,
               "unknown compression \"{}\": supported encodings are gzip", coding);
}

bool AcceptsGzip(const http::Request& request, std::string_view header) {
  return request.headers.Get(header).value_or("").find("gzip") != std::string_view::npos;
}

}  // namespace

http::Response UnaryCall::Answer(const http::Request& request) const {
  if (request.method != "POST") {
    http::Response response = http::Text(405, "");
    response.headers.Add("Allow", "POST");
    return response;
  }
  const std::string type = MediaType(request);
  if (type == "application/proto") return AnswerConnect(request, false);
  if (type == "application/json") return AnswerConnect(request, true);
  if (type == "application/grpc" || type == "application/grpc+proto") {
    return AnswerGrpc(request, false);
  }
  if (type == "application/grpc+json") return AnswerGrpc(request, true);
  http::Response response = http::Text(415, "");
  response.headers.Add("Accept-Post",
                       "application/grpc, application/grpc+json, application/grpc+proto, "
                       "application/json, application/proto");
  return response;
}

absl::StatusOr<std::string> UnaryCall::Call(const http::Request& request, std::string_view body,
                                            bool json) const {
  const std::unique_ptr<google::protobuf::Message> in(request_->New());
  const std::unique_ptr<google::protobuf::Message> out(response_->New());
  if (json) {
    google::protobuf::util::JsonParseOptions options;
    options.ignore_unknown_fields = true;
    const auto parsed =
        google::protobuf::util::JsonStringToMessage({body.data(), body.size()}, in.get(), options);
    if (!parsed.ok()) {
      return InvalidArgument("unmarshal message: {}",
                             std::string(parsed.message().data(), parsed.message().size()));
    }
  } else if (!in->ParseFromArray(body.data(), static_cast<int>(body.size()))) {
    return InvalidArgument("unmarshal message: {} bytes are no {}", body.size(), in->GetTypeName());
  }
  STOKER_RETURN_IF_ERROR(method_(request, *in, *out));
  std::string bytes;
  if (!json) {
    if (!out->SerializeToString(&bytes)) return Internal("response larger than 2 GiB");
    return bytes;
  }
  const auto printed = google::protobuf::util::MessageToJsonString(*out, &bytes);
  if (!printed.ok()) return Internal("response cannot be written as JSON");
  return bytes;
}

http::Response UnaryCall::AnswerConnect(const http::Request& request, bool json) const {
  const auto body =
      Decompress(request.headers.Get("content-encoding").value_or(""), request.body, max_bytes_);
  if (!body.ok()) return ConnectError(body.status());
  absl::StatusOr<std::string> answer = Call(request, *body, json);
  if (!answer.ok()) return ConnectError(answer.status());
  http::Response response;
  response.headers.Add("Content-Type", json ? "application/json" : "application/proto");
  // Below this gzip gains nothing (Pyroscope's own bound).
  constexpr std::size_t kWorthGzip = 1400;
  if (answer->size() >= kWorthGzip && AcceptsGzip(request, "accept-encoding")) {
    response.headers.Add("Content-Encoding", "gzip");
    response.body = pprof::Gzip(*answer);
  } else {
    response.body = *std::move(answer);
  }
  return response;
}

// A gRPC message: a byte that says whether it is compressed, its length in four bytes, the highest
// first, itself.
http::Response UnaryCall::AnswerGrpc(const http::Request& request, bool json) const {
  constexpr std::size_t kPrefix = 5;
  const std::string type(request.headers.Get("content-type").value_or("application/grpc"));
  const std::string_view body = request.body;
  std::size_t size = 0;
  for (std::size_t i = 1; i < kPrefix && i < body.size(); ++i) {
    size = size << 8 | static_cast<unsigned char>(body[i]);
  }
  if (body.size() < kPrefix || size != body.size() - kPrefix) {
    return GrpcResponse(type, "", InvalidArgument("a unary call takes one whole message"));
  }
  const bool compressed = body[0] != 0;
  const auto message =
      Decompress(compressed ? request.headers.Get("grpc-encoding").value_or("") : "",
                 body.substr(kPrefix), max_bytes_);
  if (!message.ok()) return GrpcResponse(type, "", message.status());
  const absl::StatusOr<std::string> answer = Call(request, *message, json);
  if (!answer.ok()) return GrpcResponse(type, "", answer.status());
  std::string framed(kPrefix, '\0');
  for (std::size_t i = 0; i < 4; ++i) {
    framed[4 - i] = static_cast<char>(answer->size() >> (8 * i));
  }
  return GrpcResponse(type, framed + *answer, absl::OkStatus());
}

}  // namespace stoker::store
