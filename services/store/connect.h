#pragma once

#include <functional>
#include <memory>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <google/protobuf/message.h>

#include "services/common/http/message.h"

namespace stoker::store {

// Answers one unary call over Connect (application/proto, application/json) or gRPC
// (application/grpc), gzip or bare, as pyroscope.md 0.2 has it.
class UnaryCall {
 public:
  // Fills the response from the request; what it returns becomes the call's error. The HTTP request
  // is there for its headers.
  using Method = std::function<absl::Status(
      const http::Request& http, const google::protobuf::Message&, google::protobuf::Message&)>;

  // `request` and `response` are empty messages of the call's types. A request may inflate to
  // `max_bytes`.
  UnaryCall(std::unique_ptr<google::protobuf::Message> request,
            std::unique_ptr<google::protobuf::Message> response, std::size_t max_bytes,
            Method method)
      : request_(std::move(request)),
        response_(std::move(response)),
        max_bytes_(max_bytes),
        method_(std::move(method)) {}

  [[nodiscard]] http::Response Answer(const http::Request& request) const;

 private:
  [[nodiscard]] http::Response AnswerConnect(const http::Request& request, bool json) const;
  [[nodiscard]] http::Response AnswerGrpc(const http::Request& request, bool json) const;
  // The response's message in the coding of the request's.
  [[nodiscard]] absl::StatusOr<std::string> Call(const http::Request& request,
                                                 std::string_view body, bool json) const;

  std::unique_ptr<const google::protobuf::Message> request_;
  std::unique_ptr<const google::protobuf::Message> response_;
  std::size_t max_bytes_;
  Method method_;
};

// A handler of a typed method: `absl::StatusOr<Res> method(const Req&, const http::Request&)`.
template <typename Req, typename Res>
http::Handler Unary(std::size_t max_bytes,
                    std::function<absl::StatusOr<Res>(const Req&, const http::Request&)> method) {
  auto call = std::make_shared<const UnaryCall>(
      std::make_unique<Req>(), std::make_unique<Res>(), max_bytes,
      [method = std::move(method)](const http::Request& http,
                                   const google::protobuf::Message& request,
                                   google::protobuf::Message& response) {
        absl::StatusOr<Res> result = method(static_cast<const Req&>(request), http);
        if (result.ok()) static_cast<Res&>(response) = *std::move(result);
        return result.status();
      });
  return [call](const http::Request& request) { return call->Answer(request); };
}

}  // namespace stoker::store
