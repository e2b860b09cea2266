#include <csignal>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>

#include <absl/time/clock.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/push/v1/push.pb.h"
#include "services/store/http_caller.h"
#include "services/store/profile_maker.h"

namespace stoker::store {
namespace {

using nlohmann::json;

// A process of the real binary.
class Process {
 public:
  Process(const std::string& dir, int port) : url_("http://127.0.0.1:" + std::to_string(port)) {
    pid_ = ::fork();
    if (pid_ != 0) return;
    const std::string listen = "127.0.0.1:" + std::to_string(port);
    const std::string run = dir + "/run";
    const std::string data = dir + "/data";
    // Small heads, so that blocks are made and merged all the time.
    ::execl("services/store/stoker-store", "stoker-store", "--run-dir", run.c_str(), "--data-dir",
            data.c_str(), "--http.listen", listen.c_str(), "--store.max-log-bytes", "8000",
            "--log.level", "error", nullptr);
    ::_exit(127);
  }
  ~Process() { Kill(); }

  void Kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

  // Waits until it answers.
  bool Ready() {
    const absl::Time deadline = absl::Now() + absl::Seconds(30);
    while (absl::Now() < deadline) {
      if (CallHttp(url_ + "/ready").status == 200) return true;
      if (::waitpid(pid_, nullptr, WNOHANG) != 0) return false;
      absl::SleepFor(absl::Milliseconds(20));
    }
    return false;
  }

  [[nodiscard]] const std::string& url() const { return url_; }

 private:
  std::string url_;
  pid_t pid_ = 0;
};

// A port that was free a moment ago.
int FreePort() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  ::bind(fd, reinterpret_cast<sockaddr*>(&address), size);
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(fd);
  return ntohs(address.sin_port);
}

std::string Request(std::int64_t number, std::int64_t time_nanos) {
  push::v1::PushRequest request;
  push::v1::RawProfileSeries* const series = request.add_series();
  const std::pair<const char*, const char*> labels[] = {{"__name__", "process_cpu"},
                                                        {"service_name", "app"}};
  for (const auto& [name, text] : labels) {
    types::v1::LabelPair* const pair = series->add_labels();
    pair->set_name(name);
    pair->set_value(text);
  }
  push::v1::RawSample* const sample = series->add_samples();
  // Each profile is worth 1, whatever it holds besides.
  sample->set_raw_profile(MakeProfile(
      time_nanos, {{.names = {"main", "f" + std::to_string(number % 50)}, .value = 1}}));
  sample->set_id("profile-" + std::to_string(number));
  return request.SerializeAsString();
}

// Pushes until it is answered 200; false when the store is gone. The small heads of this test fill
// faster than they become blocks: 503 is then a request to wait.
bool Push(const std::string& url, std::int64_t number, std::int64_t time_nanos) {
  while (true) {
    const HttpAnswer answer =
        CallHttp(url + "/push.v1.PusherService/Push", {"Content-Type: application/proto"},
                 Request(number, time_nanos));
    if (answer.status != 503) return answer.status == 200;
    absl::SleepFor(absl::Milliseconds(20));
  }
}

std::int64_t Total(const std::string& url) {
  const std::int64_t now = absl::ToUnixMillis(absl::Now());
  const json request = {{"profileTypeID", "process_cpu:cpu:nanoseconds:cpu:nanoseconds"},
                        {"labelSelector", "{}"},
                        {"start", now - 3'600'000},
                        {"end", now + 60'000}};
  const HttpAnswer answer = CallHttp(url + "/querier.v1.QuerierService/SelectMergeStacktraces",
                                     {"Content-Type: application/json"}, request.dump());
  EXPECT_EQ(answer.status, 200) << answer.body;
  return std::stoll(json::parse(answer.body)["flamegraph"].value("total", "0"));
}

// SIGKILL at random moments while profiles come and blocks are made: every profile that was
// answered 200 is there, none twice, though each unanswered one is sent again after the restart.
TEST(KillTest, AcknowledgedOnce) {
  // Short: paths of Unix sockets hold 107 bytes.
  char folder[] = "/tmp/stoker-kill-XXXXXX";
  ASSERT_NE(::mkdtemp(folder), nullptr);
  const std::string dir = folder;
  std::mt19937 random(1);
  std::int64_t next = 0;
  std::int64_t time_nanos = absl::ToUnixNanos(absl::Now());
  for (int round = 0; round < 15; ++round) {
    Process store(dir, FreePort());
    ASSERT_TRUE(store.Ready());
    const absl::Duration life = absl::Milliseconds(random() % 1'500);
    std::thread killer([&] {
      absl::SleepFor(life);
      store.Kill();
    });
    while (Push(store.url(), next, time_nanos)) {
      ++next;
      time_nanos += 1'000'000;
    }
    killer.join();
  }
  Process store(dir, FreePort());
  ASSERT_TRUE(store.Ready());
  EXPECT_TRUE(Push(store.url(), next, time_nanos));
  EXPECT_EQ(Total(store.url()), next + 1);
  EXPECT_GT(next, 50);
  store.Kill();
  std::filesystem::remove_all(dir);
}

}  // namespace
}  // namespace stoker::store
