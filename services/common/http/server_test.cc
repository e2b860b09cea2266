#include "services/common/http/server.h"

#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <absl/synchronization/blocking_counter.h>
#include <absl/synchronization/notification.h>
#include <arpa/inet.h>
#include <curl/curl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "services/common/base/unique_fd.h"

namespace stoker::http {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// Says what it was asked.
Response Echo(const Request& request) {
  if (request.path == "/throw") throw std::runtime_error("secret");
  Response response = Text(200, request.method + " " + request.path + "?" + request.query + " v" +
                                    request.version + " " + std::to_string(request.body.size()));
  if (request.path == "/type") response.body = *request.headers.Get("content-type");
  if (request.path == "/trailers") response.trailers.Add("grpc-status", "0");
  if (request.path == "/big") response.body = std::string(3 << 20, 'x');
  return response;
}

std::size_t Append(char* data, std::size_t size, std::size_t count, void* text) {
  static_cast<std::string*>(text)->append(data, size * count);
  return size * count;
}

// A request through libcurl: {status, body, headers and trailers}.
struct Answered {
  long status = 0;
  std::string body;
  std::string headers;
};
Answered Ask(const std::string& url, long version, const std::string& body = "",
             const char* header = nullptr) {
  Answered answered;
  curl_slist* headers = header == nullptr ? nullptr : curl_slist_append(nullptr, header);
  CURL* curl = curl_easy_init();
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, version);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT, 60L);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, Append);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answered.body);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, Append);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &answered.headers);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
  if (!body.empty()) {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.data());
  }
  EXPECT_EQ(curl_easy_perform(curl), CURLE_OK) << url;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answered.status);
  curl_easy_cleanup(curl);
  curl_slist_free_all(headers);
  return answered;
}

UniqueFd ConnectTo(int port) {
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  return fd;
}

// Sends text and reads until the server closes.
std::string Raw(int port, const std::string& text) {
  const UniqueFd fd = ConnectTo(port);
  EXPECT_EQ(write(fd.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  std::string answer;
  char buffer[4096];
  for (ssize_t size; (size = read(fd.get(), buffer, sizeof buffer)) > 0;) {
    answer.append(buffer, static_cast<std::size_t>(size));
  }
  return answer;
}

class ServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto started = Server::Start(
        {.addresses = {"127.0.0.1:0"}, .max_body_bytes = std::size_t{100} << 20}, Echo);
    ASSERT_TRUE(started.ok()) << started.status();
    server_ = *std::move(started);
    port_ = server_->ports()[0];
    url_ = "http://127.0.0.1:" + std::to_string(port_);
  }

  std::unique_ptr<Server> server_;
  int port_ = 0;
  std::string url_;
};

// One port, both protocols: the handler sees the same request, with any content type.
TEST_F(ServerTest, BothProtocols) {
  EXPECT_EQ(Ask(url_ + "/a%20b?x=1", CURL_HTTP_VERSION_1_1, "body").body, "POST /a b?x=1 v1.1 4");
  EXPECT_EQ(Ask(url_ + "/a%20b?x=1", CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE, "body").body,
            "POST /a b?x=1 v2 4");
  EXPECT_EQ(Ask(url_ + "/type", CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE, "body",
                "Content-Type: application/proto")
                .body,
            "application/proto");
}

// Trailers follow the body over HTTP/2, as gRPC needs them.
TEST_F(ServerTest, Trailers) {
  EXPECT_THAT(Ask(url_ + "/trailers", CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE).headers,
              HasSubstr("grpc-status: 0"));
}

// Bodies of 100 MB arrive whole, past every window; larger ones are refused with 413.
TEST_F(ServerTest, LargeBodies) {
  const std::string body(std::size_t{100} << 20, 'b');
  for (const long version : {CURL_HTTP_VERSION_1_1, CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE}) {
    EXPECT_THAT(Ask(url_ + "/", version, body).body, HasSubstr(std::to_string(body.size())));
    EXPECT_EQ(Ask(url_ + "/big", version).body.size(), std::size_t{3} << 20);
  }
  EXPECT_THAT(Raw(port_, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 104857601\r\n\r\n"),
              StartsWith("HTTP/1.1 413"));
}

// A thousand connections that say nothing keep nobody from being answered.
TEST_F(ServerTest, IdleConnections) {
  // Both ends are ours.
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &files), 0);
  std::vector<UniqueFd> idle;
  for (int i = 0; i < 1000; ++i) idle.push_back(ConnectTo(port_));
  EXPECT_EQ(Ask(url_ + "/x", CURL_HTTP_VERSION_1_1).status, 200);
  EXPECT_EQ(Ask(url_ + "/x", CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE).status, 200);
}

std::size_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t size = 0;
  std::size_t resident = 0;
  statm >> size >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

// What a sender promises takes no memory, only what it sends: 500 that begin a body of 100 MB and
// stop cost little, and keep nobody from being answered.
TEST_F(ServerTest, SlowSenders) {
  const std::size_t before = ResidentBytes();
  std::vector<UniqueFd> slow;
  const std::string begin =
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 104857600\r\n\r\n" + std::string(100, 'x');
  for (int i = 0; i < 500; ++i) {
    slow.push_back(ConnectTo(port_));
    ASSERT_EQ(write(slow.back().get(), begin.data(), begin.size()),
              static_cast<ssize_t>(begin.size()));
  }
  EXPECT_EQ(Ask(url_ + "/x", CURL_HTTP_VERSION_1_1, "body").status, 200);
  EXPECT_LT(ResidentBytes(), before + (std::size_t{100} << 20));
}

// Expect: 100-continue is answered before the body comes; HEAD has a length and no body; what is no
// HTTP is 400; an exception is 500 and its text stays inside.
TEST_F(ServerTest, Edges) {
  EXPECT_THAT(Raw(port_,
                  "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 100-continue\r\n"
                  "Content-Length: 2\r\n\r\nhi"),
              ::testing::AllOf(StartsWith("HTTP/1.1 100"), HasSubstr("HTTP/1.1 200")));
  const std::string head = Raw(port_, "HEAD /h HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(head,
              ::testing::AllOf(HasSubstr("Content-Length: 15"), ::testing::EndsWith("\r\n\r\n")));
  EXPECT_THAT(Raw(port_, "nonsense\r\n\r\n"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(Raw(port_, "GET / HTTP/1.1\r\nX: " + std::string(70000, 'x') + "\r\n\r\n"),
              StartsWith("HTTP/1.1 431"));
  const Answered failed = Ask(url_ + "/throw", CURL_HTTP_VERSION_1_1);
  EXPECT_EQ(failed.status, 500);
  EXPECT_EQ(failed.body, "internal error\n");
}

// With every handler thread busy and enough requests waiting, the next is refused at once.
TEST(ServerBoundTest, RefusesPastTheQueue) {
  absl::Notification entered;
  absl::Notification release;
  auto server =
      Server::Start({.addresses = {"127.0.0.1:0"}, .handler_threads = 1, .max_waiting = 0},
                    [&](const Request& request) {
                      if (request.path == "/wait") {
                        entered.Notify();
                        release.WaitForNotification();
                      }
                      return Text(200, "ok");
                    });
  ASSERT_TRUE(server.ok()) << server.status();
  const std::string url = "http://127.0.0.1:" + std::to_string((*server)->ports()[0]);
  std::thread busy([&] { EXPECT_EQ(Ask(url + "/wait", CURL_HTTP_VERSION_1_1).status, 200); });
  entered.WaitForNotification();
  EXPECT_EQ(Ask(url + "/", CURL_HTTP_VERSION_1_1).status, 503);
  EXPECT_EQ(Ask(url + "/", CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE).status, 503);
  release.Notify();
  busy.join();
}

// Bodies of unanswered requests fill what all may take together: the next is refused with 503 over
// both protocols, and taken once there is room.
TEST(ServerBoundTest, RefusesPastTheTotalOfBodies) {
  absl::Notification entered;
  absl::Notification release;
  auto server = Server::Start({.addresses = {"127.0.0.1:0"}, .max_total_body_bytes = 1 << 20},
                              [&](const Request& request) {
                                if (request.path == "/wait") {
                                  entered.Notify();
                                  release.WaitForNotification();
                                }
                                return Text(200, "ok");
                              });
  ASSERT_TRUE(server.ok()) << server.status();
  const std::string url = "http://127.0.0.1:" + std::to_string((*server)->ports()[0]);
  const std::string body(600 << 10, 'b');
  std::thread busy([&] { EXPECT_EQ(Ask(url + "/wait", CURL_HTTP_VERSION_1_1, body).status, 200); });
  entered.WaitForNotification();
  for (const long version : {CURL_HTTP_VERSION_1_1, CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE}) {
    const Answered refused = Ask(url + "/", version, body);
    EXPECT_EQ(refused.status, 503);
    EXPECT_THAT(refused.headers, HasSubstr("etry-"));
    EXPECT_EQ(Ask(url + "/", version, "small").status, 200);
  }
  release.Notify();
  busy.join();
  for (const long version : {CURL_HTTP_VERSION_1_1, CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE}) {
    EXPECT_EQ(Ask(url + "/", version, body).status, 200);
  }
}

// Drain closes idle connections, takes no new ones, and waits for the requests that run, over both
// protocols.
TEST(ServerDrainTest, AnswersWhatRuns) {
  absl::BlockingCounter entered(2);
  absl::Notification release;
  auto server = Server::Start({.addresses = {"127.0.0.1:0"}}, [&](const Request& request) {
    if (request.path == "/wait") {
      entered.DecrementCount();
      release.WaitForNotification();
    }
    return Text(200, "ok");
  });
  ASSERT_TRUE(server.ok()) << server.status();
  const int port = (*server)->ports()[0];
  const std::string url = "http://127.0.0.1:" + std::to_string(port);
  std::vector<std::thread> busy;
  for (const long version : {CURL_HTTP_VERSION_1_1, CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE}) {
    busy.emplace_back([&, version] { EXPECT_EQ(Ask(url + "/wait", version).status, 200); });
  }
  const UniqueFd idle = ConnectTo(port);
  entered.Wait();
  std::thread drain([&] { (*server)->Drain(absl::Seconds(60)); });
  char byte = 0;
  EXPECT_EQ(read(idle.get(), &byte, 1), 0);
  release.Notify();
  for (std::thread& thread : busy) thread.join();
  drain.join();
  const UniqueFd late(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_NE(connect(late.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
}

// A port in use is named, with the flag that changes it.
TEST_F(ServerTest, PortInUse) {
  const std::string address = "127.0.0.1:" + std::to_string(port_);
  const auto second =
      Server::Start({.addresses = {address}, .address_flag = "--http.listen"}, Echo);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(second.status().message()),
              ::testing::AllOf(HasSubstr(address), HasSubstr("--http.listen")));
}

}  // namespace
}  // namespace stoker::http
