#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include <google/protobuf/message.h>

#include "services/common/http/message.h"

namespace stoker::http {

// Unary protobuf calls over the server: Connect (application/proto, application/json), gRPC and
// gRPC-Web (+proto, +json), told apart by Content-Type. Rules and codes: Connect's protocol
// specification, gRPC's PROTOCOL-HTTP2.md and PROTOCOL-WEB.md; JSON is protojson.

struct Context {
  // Metadata is `request.headers`.
  const Request& request;
  // What the caller gives us (Connect-Timeout-Ms, grpc-timeout); infinite when it says nothing.
  absl::Duration timeout = absl::InfiniteDuration();
};

struct UnaryOptions {
  // Of a message, uncompressed. A larger one is RESOURCE_EXHAUSTED.
  std::size_t max_message_bytes = std::size_t{64} << 20;
};

using MessagePtr = std::unique_ptr<google::protobuf::Message>;

// A method without its types: makes an empty request message, and answers a filled one.
struct UnaryMethod {
  std::function<MessagePtr()> make_request;
  std::function<absl::StatusOr<MessagePtr>(const google::protobuf::Message&, const Context&)> call;
};

Response ServeUnary(const UnaryMethod& method, const UnaryOptions& options, const Request& request);

// The handler of a method:
//   router.Add("*", "/push.v1.PusherService/Push", Unary<PushRequest, PushResponse>(
//       [&](const PushRequest& push, const Context& context) { return core.Push(push, context);
//       }));
// Registered for "*", so that another method than POST is answered 405 here.
template <typename Req, typename Res>
Handler Unary(std::function<absl::StatusOr<Res>(const Req&, const Context&)> function,
              UnaryOptions options = {}) {
  UnaryMethod method{.make_request = [] { return std::make_unique<Req>(); },
                     .call = [function = std::move(function)](
                                 const google::protobuf::Message& message,
                                 const Context& context) -> absl::StatusOr<MessagePtr> {
                       absl::StatusOr<Res> answer =
                           function(static_cast<const Req&>(message), context);
                       if (!answer.ok()) return answer.status();
                       return std::make_unique<Res>(*std::move(answer));
                     }};
  return [method = std::move(method), options](const Request& request) {
    return ServeUnary(method, options, request);
  };
}

// Connect's name of a code: "invalid_argument".
std::string_view ConnectCode(absl::StatusCode code);

// Connect's HTTP status of a code: 400 for INVALID_ARGUMENT.
int ConnectHttpStatus(absl::StatusCode code);

// {"code": ..., "message": ...} with the status of ConnectHttpStatus. `status` is an error.
Response ErrorResponse(const absl::Status& status);

// The same body with another HTTP status, for plain handlers that follow a table of their own.
Response ErrorResponse(int http_status, std::string_view code, std::string_view message);

}  // namespace stoker::http
