#include "services/common/http/connect.h"

#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "proto/push/v1/push.grpc.pb.h"
#include "proto/push/v1/push.pb.h"
#include "services/common/http/coding.h"
#include "services/common/http/grpc_frame.h"
#include "services/common/http/server.h"
#include "services/common/pprof/gzip.h"

namespace stoker::http {
namespace {

using push::v1::PushRequest;
using push::v1::PushResponse;
using ::testing::HasSubstr;

// Refuses a push without series, and a caller that gives too little time.
absl::StatusOr<PushResponse> Push(const PushRequest& push, const Context& context) {
  if (push.series_size() == 0) return absl::InvalidArgumentError("no series, 100% wrong\n");
  if (context.timeout < absl::Seconds(1)) return absl::DeadlineExceededError("too short");
  return PushResponse();
}

// An answer with content: the request.
absl::StatusOr<PushRequest> Mirror(const PushRequest& push, const Context&) { return push; }

PushRequest OneSeries(std::string label = "a") {
  PushRequest push;
  push.add_series()->add_labels()->set_name(std::move(label));
  return push;
}

Response Post(const std::string& type, std::string body, Headers headers = {},
              const Handler& handler = Unary<PushRequest, PushResponse>(Push)) {
  headers.Add("Content-Type", type);
  return handler({.method = "POST", .headers = std::move(headers), .body = std::move(body)});
}

// Connect with protobuf and JSON: 200, the same content type, an empty message as "" and "{}".
TEST(ConnectTest, Answers) {
  const Response proto = Post("application/proto", OneSeries().SerializeAsString());
  EXPECT_EQ(proto.status, 200);
  EXPECT_EQ(proto.headers.Get("content-type"), "application/proto");
  EXPECT_EQ(proto.body, "");
  const Response json = Post("Application/JSON; charset=utf-8",
                             R"({"series":[{"labels":[{"name":"a"}]}],"unknownField":[1]})");
  EXPECT_EQ(json.status, 200);
  EXPECT_EQ(json.headers.Get("content-type"), "application/json");
  EXPECT_EQ(json.body, "{}");
}

// An error is JSON with the code's HTTP status, whatever the request's codec.
TEST(ConnectTest, Errors) {
  const Response error = Post("application/proto", "");
  EXPECT_EQ(error.status, 400);
  EXPECT_EQ(error.headers.Get("content-type"), "application/json");
  EXPECT_EQ(error.body, R"({"code":"invalid_argument","message":"no series, 100% wrong\n"})");
  EXPECT_EQ(Post("application/json", "").status, 400);
  EXPECT_EQ(Post("application/proto", "\xff\xff").status, 400);
  EXPECT_EQ(
      Post("application/proto", OneSeries().SerializeAsString(), {{"Connect-Timeout-Ms", "5"}})
          .status,
      504);
}

// Another method is 405 with Allow, another content type 415 with Accept-Post.
TEST(ConnectTest, RefusesWhatItDoesNotSpeak) {
  const Handler handler = Unary<PushRequest, PushResponse>(Push);
  const Response get = handler({.method = "GET"});
  EXPECT_EQ(get.status, 405);
  EXPECT_EQ(get.headers.Get("allow"), "POST");
  const Response xml = Post("text/xml", "");
  EXPECT_EQ(xml.status, 415);
  EXPECT_THAT(std::string(*xml.headers.Get("accept-post")),
              HasSubstr("application/grpc-web+proto"));
}

// gzip is read, within the limits, and written where the client takes it; others are 501.
TEST(ConnectTest, Compression) {
  const std::string bytes = OneSeries(std::string(5000, 'x')).SerializeAsString();
  const Response response =
      Post("application/proto", pprof::Gzip(bytes),
           {{"Content-Encoding", "gzip"}, {"Accept-Encoding", "br;q=1.0, gzip;q=0.5"}},
           Unary<PushRequest, PushRequest>(Mirror));
  EXPECT_EQ(response.headers.Get("content-encoding"), "gzip");
  EXPECT_EQ(*pprof::Gunzip(response.body, 1 << 20), bytes);
  EXPECT_EQ(Post("application/proto", bytes, {{"Content-Encoding", "br"}}).status, 501);
  EXPECT_EQ(Post("application/proto", pprof::Gzip(bytes), {{"Content-Encoding", "gzip"}},
                 Unary<PushRequest, PushRequest>(Mirror, {.max_message_bytes = 4999}))
                .status,
            429);
}

// No compressed body grows beyond the ratio, however large the absolute limit.
TEST(ConnectTest, CompressionBomb) {
  const std::string bomb = pprof::Gzip(std::string(std::size_t{32} << 20, 'x'));
  EXPECT_EQ(DecodeContent("gzip", bomb, {.max_bytes = std::size_t{1} << 30}).status().code(),
            absl::StatusCode::kResourceExhausted);
}

// gRPC-Web puts its trailers into the body; broken framing is an error there, not in HTTP.
TEST(ConnectTest, GrpcWeb) {
  const Response good =
      Post("application/grpc-web+proto", FrameMessage(OneSeries().SerializeAsString()));
  EXPECT_EQ(good.status, 200);
  EXPECT_EQ(good.body, FrameMessage("") + FrameTrailers({{"grpc-status", "0"}}));
  const Response bad = Post("application/grpc-web", "x");
  EXPECT_EQ(bad.status, 200);
  EXPECT_THAT(bad.body, HasSubstr("grpc-status: 3\r\n"));
}

// A gRPC client's own library gets answers, errors and metadata over the same port.
TEST(ConnectTest, GrpcClient) {
  auto server =
      Server::Start({.addresses = {"127.0.0.1:0"}}, Unary<PushRequest, PushResponse>(Push));
  ASSERT_TRUE(server.ok()) << server.status();
  const auto channel = grpc::CreateChannel("127.0.0.1:" + std::to_string((*server)->ports()[0]),
                                           grpc::InsecureChannelCredentials());
  const auto stub = push::v1::PusherService::NewStub(channel);
  const auto call = [&](const PushRequest& push, grpc_compression_algorithm compression) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    context.set_compression_algorithm(compression);
    PushResponse response;
    return stub->Push(&context, push, &response);
  };
  EXPECT_TRUE(call(OneSeries(), GRPC_COMPRESS_NONE).ok());
  EXPECT_TRUE(call(OneSeries(std::string(9000, 'x')), GRPC_COMPRESS_GZIP).ok());
  const grpc::Status error = call(PushRequest(), GRPC_COMPRESS_NONE);
  EXPECT_EQ(error.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(error.error_message(), "no series, 100% wrong\n");
}

// Timeouts of gRPC have a unit and at most eight digits.
TEST(ConnectTest, GrpcTimeout) {
  EXPECT_EQ(ParseGrpcTimeout("250m"), absl::Milliseconds(250));
  EXPECT_EQ(ParseGrpcTimeout("2H"), absl::Hours(2));
  EXPECT_EQ(ParseGrpcTimeout("2"), absl::InfiniteDuration());
  EXPECT_EQ(ParseGrpcTimeout(""), absl::InfiniteDuration());
}

}  // namespace
}  // namespace stoker::http
