#include <filesystem>
#include <string>
#include <vector>

#include <absl/synchronization/mutex.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/common/http/server.h"
#include "services/discovery/sources/docker_client.h"
#include "services/discovery/sources/recording_sink.h"
#include "services/discovery/sources/system_sources.h"

namespace stoker::discovery {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// A daemon whose containers the test sets; a request for events waits for one.
class DockerSourceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    // Paths of sockets are short.
    char folder[] = "/tmp/docker_test.XXXXXX";
    ASSERT_NE(mkdtemp(folder), nullptr);
    folder_ = folder;
    StartDaemon();
  }
  void TearDown() override {
    StopDaemon();
    std::filesystem::remove_all(folder_);
  }

  void StartDaemon() {
    {
      absl::MutexLock lock(&mutex_);
      stopping_ = false;
    }
    auto server =
        http::Server::Start({.addresses = {"127.0.0.1:0", "unix:" + socket()}},
                            [this](const http::Request& request) { return Answer(request); });
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  void StopDaemon() {
    {
      absl::MutexLock lock(&mutex_);
      stopping_ = true;
    }
    server_.reset();
    std::filesystem::remove(socket());
  }

  [[nodiscard]] std::string socket() const { return folder_ + "/docker.sock"; }

  http::Response Answer(const http::Request& request) {
    absl::MutexLock lock(&mutex_);
    asked_.push_back(request.path + "?" + request.query);
    if (request.path == "/_ping") {
      return {.headers = {{"Api-Version", api_version_}}, .body = "OK"};
    }
    const std::string path = request.path.substr(request.path.find('/', 1));
    if (path == "/networks") return http::Json(200, "[]");
    if (path == "/containers/json") return http::Json(status_, containers_);
    if (path != "/events") return http::Json(404, R"({"message": "page not found"})");
    const auto woken = [this]()
                           ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return event_ || stopping_; };
    mutex_.Await(absl::Condition(&woken));
    event_ = false;
    return http::Json(200, "{}\n");
  }

  void SetContainers(int status, const std::string& containers) {
    absl::MutexLock lock(&mutex_);
    status_ = status;
    containers_ = containers;
  }
  void TellEvent() {
    absl::MutexLock lock(&mutex_);
    event_ = true;
  }
  std::vector<std::string> asked() {
    absl::MutexLock lock(&mutex_);
    return asked_;
  }

  static std::string Container(const std::string& id) {
    return fmt::format(R"({{"Id": "{0}", "Names": ["/{0}"], "NetworkSettings": {{"Networks":
                           {{"bridge": {{"IPAddress": "10.0.0.1"}}}}}}}})",
                       id);
  }
  std::unique_ptr<Source> Start(const std::string& host, absl::Duration refresh_interval) {
    return sources_.Start("discovery.docker.x",
                          config::DiscoveryDocker{.host = host,
                                                  .refresh_interval = refresh_interval,
                                                  .filters = {{"label", {"a=b", "c"}}}},
                          "", sink_);
  }

  absl::Mutex mutex_;
  std::string api_version_ ABSL_GUARDED_BY(mutex_) = "1.41";
  int status_ ABSL_GUARDED_BY(mutex_) = 200;
  std::string containers_ ABSL_GUARDED_BY(mutex_) = "[]";
  bool event_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::string> asked_ ABSL_GUARDED_BY(mutex_);

  std::string folder_;
  std::unique_ptr<http::Server> server_;
  SystemClock clock_;
  metrics::Registry metrics_;
  SystemSources sources_{clock_, metrics_};
  RecordingSink sink_;
};

// Over the Unix socket, in the daemon's version of the API, with the filters; a container that
// starts is there after its event, long before the next refresh.
TEST_F(DockerSourceTest, HearsOfEvents) {
  SetContainers(200, "[" + Container("a") + "]");
  const auto source = Start("unix://" + socket(), absl::Hours(1));
  EXPECT_EQ(sink_.Await([](const auto& said) { return said.found > 0; }).targets.size(), 1u);
  EXPECT_THAT(asked(), Contains("/v1.41/containers/json?filters=%7B%22label%22%3A%7B%22a%3Db%22"
                                "%3Atrue%2C%22c%22%3Atrue%7D%7D"));
  SetContainers(200, "[" + Container("a") + "," + Container("b") + "]");
  TellEvent();
  EXPECT_EQ(sink_.Await([](const auto& said) { return said.found > 1; }).targets.size(), 2u);
  EXPECT_THAT(asked(), Contains(StartsWith("/v1.41/events?filters=%7B%22event%22")));
}

// A daemon newer than us is spoken to in our newest version, one that names none in the oldest.
TEST_F(DockerSourceTest, Versions) {
  const auto version_for = [&](const std::string& announced) {
    {
      absl::MutexLock lock(&mutex_);
      api_version_ = announced;
    }
    DockerClient client(*ParseDockerHost("unix://" + socket(), {}));
    EXPECT_TRUE(client.List("/networks", {}).ok());
    return client.version();
  };
  EXPECT_EQ(version_for("1.41"), "1.41");
  EXPECT_EQ(version_for("1.99"), "1.51");
  EXPECT_EQ(version_for(""), "1.24");
  EXPECT_EQ(version_for("2.x"), "1.24");
}

// The list stays while the daemon is away or answers badly, with the reason; what it says when it
// is back replaces it.
TEST_F(DockerSourceTest, KeepsTheListOnFailure) {
  SetContainers(200, "[" + Container("a") + "]");
  const std::string host = fmt::format("tcp://127.0.0.1:{}", server_->ports()[0]);
  const auto source = Start("unix://" + socket(), absl::Milliseconds(10));
  sink_.Await([](const auto& said) { return said.found > 0; });
  const auto fails = [&](const std::string& message) {
    const auto said =
        sink_.Await([&](const auto& now) { return std::string(now.status.message()) == message; });
    EXPECT_EQ(std::string(said.status.message()), message);
    EXPECT_EQ(said.targets.size(), 1u);
  };
  SetContainers(500, R"({"message": "out of order"})");
  fails("unix://" + socket() + ": /containers/json: HTTP status 500: out of order");
  SetContainers(200, "{}");
  fails("unix://" + socket() + ": /containers/json: the answer is no list");
  std::string parts = "[";
  for (int i = 0; i < 2'100'000; ++i) parts += "[],";
  SetContainers(200, parts + "[]]");
  fails("unix://" + socket() + ": /containers/json: the answer has more than 4000000 parts");
  StopDaemon();
  fails("there is no socket " + socket() + ": is Docker running?");
  SetContainers(200, "[]");
  StartDaemon();
  EXPECT_TRUE(sink_.Await([](const auto& said) { return said.status.ok(); }).targets.empty());
  EXPECT_GT(metrics_.Text().find("prometheus_sd_refresh_failures_total{"
                                 "config=\"discovery.docker.x\",mechanism=\"docker\"}"),
            0u);
}

// The forms of a host, and what is none.
TEST_F(DockerSourceTest, Hosts) {
  config::HttpClientConfig tls;
  tls.tls.ca_file = "ca.pem";
  const auto url = [](const std::string& host, const config::HttpClientConfig& client) {
    const auto parsed = ParseDockerHost(host, client);
    return parsed.ok() ? parsed->url + "|" + parsed->unix_socket
                       : std::string(parsed.status().message());
  };
  EXPECT_EQ(url("unix:///var/run/docker.sock", tls), "http://docker|/var/run/docker.sock");
  EXPECT_EQ(url("tcp://h:2375", {}), "http://h:2375|");
  EXPECT_EQ(url("tcp://h:2376", tls), "https://h:2376|");
  EXPECT_EQ(url("http://h:1/base/", {}), "http://h:1/base|");
  EXPECT_EQ(url("https://h", {}), "https://h|");
  EXPECT_THAT(url("/var/run/docker.sock", {}), HasSubstr("is no Docker host"));
  EXPECT_THAT(url("npipe:////./pipe/docker", {}), HasSubstr("unix, tcp, http or https"));
  EXPECT_THAT(url("unix://", {}), HasSubstr("names no Docker host"));
}

}  // namespace
}  // namespace stoker::discovery
