#include "services/common/http/connect.h"

#include <charconv>
#include <cstdint>
#include <optional>

#include <google/protobuf/util/json_util.h>

#include "services/common/base/status.h"
#include "services/common/http/coding.h"
#include "services/common/http/fields.h"
#include "services/common/http/grpc_frame.h"

namespace stoker::http {
namespace {

using google::protobuf::Message;

enum class Protocol { kConnect, kGrpc, kGrpcWeb };

struct Wire {
  std::string_view media_type;
  Protocol protocol;
  bool json;
};

constexpr Wire kWires[] = {
    {"application/proto", Protocol::kConnect, false},
    {"application/json", Protocol::kConnect, true},
    {"application/grpc", Protocol::kGrpc, false},
    {"application/grpc+proto", Protocol::kGrpc, false},
    {"application/grpc+json", Protocol::kGrpc, true},
    {"application/grpc-web", Protocol::kGrpcWeb, false},
    {"application/grpc-web+proto", Protocol::kGrpcWeb, false},
    {"application/grpc-web+json", Protocol::kGrpcWeb, true},
};

const Wire* FindWire(std::string_view media_type) {
  for (const Wire& wire : kWires) {
    if (wire.media_type == media_type) return &wire;
  }
  return nullptr;
}

Response UnsupportedMediaType() {
  std::string accepted;
  for (const Wire& wire : kWires) {
    accepted += accepted.empty() ? "" : ", ";
    accepted += wire.media_type;
  }
  return {.status = 415, .headers = {{"Accept-Post", accepted}}};
}

std::string_view Field(const Request& request, std::string_view name) {
  return request.headers.Get(name).value_or("");
}

absl::Duration Timeout(const Request& request, const Wire& wire) {
  if (wire.protocol != Protocol::kConnect) return ParseGrpcTimeout(Field(request, "grpc-timeout"));
  const std::string_view text = Field(request, "Connect-Timeout-Ms");
  std::int64_t ms = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ms);
  const bool whole = error == std::errc() && end == text.data() + text.size() && ms >= 0;
  return whole ? absl::Milliseconds(ms) : absl::InfiniteDuration();
}

absl::Status Parse(const std::string& bytes, bool json, Message& message) {
  if (!json) {
    if (message.ParseFromString(bytes)) return absl::OkStatus();
    return InvalidArgument("the body is no {}", message.GetTypeName());
  }
  if (bytes.empty()) return InvalidArgument("the body is empty, which is no JSON");
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  const auto parsed = google::protobuf::util::JsonStringToMessage(bytes, &message, options);
  if (parsed.ok()) return absl::OkStatus();
  const auto text = parsed.message();
  return InvalidArgument("the body is no {}: {}", message.GetTypeName(),
                         std::string_view(text.data(), text.size()));
}

absl::StatusOr<std::string> Serialize(const Message& message, bool json) {
  std::string bytes;
  if (!json) {
    if (message.SerializeToString(&bytes)) return bytes;
    return Internal("cannot serialize {}", message.GetTypeName());
  }
  if (google::protobuf::util::MessageToJsonString(message, &bytes).ok()) return bytes;
  return Internal("cannot write {} as JSON", message.GetTypeName());
}

// The message of a request: its body, or what `decoded` then holds of it.
absl::StatusOr<const std::string*> Content(const Request& request, const Wire& wire,
                                           const UnaryOptions& options, std::string& decoded) {
  if (wire.protocol != Protocol::kConnect) {
    STOKER_ASSIGN_OR_RETURN(decoded, UnframeMessage(request.body, Field(request, "grpc-encoding"),
                                                    options.max_message_bytes));
    return &decoded;
  }
  const std::string_view encoding = Field(request, "Content-Encoding");
  // Large bodies are not copied without need.
  const bool as_it_is = encoding.empty() && request.body.size() <= options.max_message_bytes;
  if (as_it_is) return &request.body;
  STOKER_ASSIGN_OR_RETURN(
      decoded, DecodeContent(encoding, request.body, {.max_bytes = options.max_message_bytes}));
  return &decoded;
}

absl::StatusOr<std::string> Call(const UnaryMethod& method, const UnaryOptions& options,
                                 const Request& request, const Wire& wire) {
  const MessagePtr message = method.make_request();
  {
    std::string decoded;
    STOKER_ASSIGN_OR_RETURN(const std::string* const content,
                            Content(request, wire, options, decoded));
    STOKER_RETURN_IF_ERROR(Parse(*content, wire.json, *message));
  }
  const Context context{.request = request, .timeout = Timeout(request, wire)};
  STOKER_ASSIGN_OR_RETURN(const MessagePtr answer, method.call(*message, context));
  return Serialize(*answer, wire.json);
}

Response ConnectAnswer(const Request& request, std::string content_type,
                       absl::StatusOr<std::string> answer) {
  if (!answer.ok()) {
    Response response = ErrorResponse(answer.status());
    if (answer.status().code() == absl::StatusCode::kUnimplemented) {
      response.headers.Add("Accept-Encoding", "gzip");
    }
    return response;
  }
  Response response{
      .headers = {{"Content-Type", std::move(content_type)}, {"Accept-Encoding", "gzip"}},
      .body = *std::move(answer)};
  CompressResponse(request, response);
  return response;
}

Response GrpcAnswer(const Wire& wire, std::string content_type,
                    const absl::StatusOr<std::string>& answer) {
  Response response{.headers = {{"Content-Type", std::move(content_type)},
                                {"grpc-accept-encoding", "identity,gzip"}},
                    .body = answer.ok() ? FrameMessage(*answer) : ""};
  Headers trailers = GrpcTrailers(answer.status());
  if (wire.protocol == Protocol::kGrpcWeb) {
    response.body += FrameTrailers(trailers);
  } else {
    response.trailers = std::move(trailers);
  }
  return response;
}

}  // namespace

Response ServeUnary(const UnaryMethod& method, const UnaryOptions& options,
                    const Request& request) {
  if (request.method != "POST") return {.status = 405, .headers = {{"Allow", "POST"}}};
  const std::string media_type = MediaType(Field(request, "Content-Type"));
  const Wire* wire = FindWire(media_type);
  if (wire == nullptr) return UnsupportedMediaType();
  absl::StatusOr<std::string> answer = Call(method, options, request, *wire);
  if (wire->protocol == Protocol::kConnect) {
    return ConnectAnswer(request, media_type, std::move(answer));
  }
  return GrpcAnswer(*wire, media_type, answer);
}

}  // namespace stoker::http
