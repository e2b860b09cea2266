#include <atomic>

#include <absl/synchronization/notification.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "services/common/http/server.h"
#include "services/discovery/sources/recording_sink.h"
#include "services/discovery/sources/system_sources.h"

namespace stoker::discovery {
namespace {

// A server that gives what the test sets.
class HttpSourceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto server =
        http::Server::Start({.addresses = {"127.0.0.1:0"}},
                            [this](const http::Request& request) { return Answer(request); });
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    url_ = fmt::format("http://127.0.0.1:{}/targets", server_->ports()[0]);
  }

  http::Response Answer(const http::Request& request) {
    EXPECT_EQ(request.headers.Get("Accept"), "application/json");
    EXPECT_EQ(request.headers.Get("X-Prometheus-Refresh-Interval-Seconds"), "0.010000");
    absl::MutexLock lock(&mutex_);
    asked_.push_back(clock_.Monotonic());
    return answer_;
  }
  void SetAnswer(int status, std::string body, std::string type = "application/json") {
    absl::MutexLock lock(&mutex_);
    answer_ = {.status = status, .headers = {{"Content-Type", type}}, .body = std::move(body)};
  }
  std::unique_ptr<Source> Start() {
    return sources_.Start(
        "discovery.http.x",
        config::DiscoveryHttp{.url = url_, .refresh_interval = absl::Milliseconds(10)}, "", sink_);
  }

  // When it was asked.
  std::vector<absl::Duration> Asked() {
    absl::MutexLock lock(&mutex_);
    return asked_;
  }

  absl::Mutex mutex_;
  http::Response answer_ ABSL_GUARDED_BY(mutex_);
  std::vector<absl::Duration> asked_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<http::Server> server_;
  std::string url_;
  SystemClock clock_;
  metrics::Registry metrics_;
  SystemSources sources_{clock_, metrics_};
  RecordingSink sink_;
};

// Groups become targets with the group's labels and the URL; one that stays keeps its pointer.
TEST_F(HttpSourceTest, Finds) {
  SetAnswer(200, R"([{"targets": ["a:1", "b:2"], "labels": {"team": "x"}}, {"targets": ["c:3"]}])",
            "application/json; charset=utf-8");
  const auto source = Start();
  const auto first = sink_.Await([](const auto& said) { return said.found > 0; });
  ASSERT_EQ(first.targets.size(), 3u);
  EXPECT_EQ(first.targets[1]->labels,
            (model::Labels{{"__address__", "b:2"}, {"__meta_url", url_}, {"team", "x"}}));
  EXPECT_EQ(first.targets[2]->labels,
            (model::Labels{{"__address__", "c:3"}, {"__meta_url", url_}}));
  SetAnswer(200, R"([{"targets": ["b:2", "d:4"], "labels": {"team": "x"}}])");
  const auto second = sink_.Await([](const auto& said) { return said.targets.size() == 2; });
  EXPECT_EQ(second.targets[0], first.targets[1]);
}

// An answer that is no list of groups says what is wrong with it; the last list stays, and the next
// good answer replaces it.
TEST_F(HttpSourceTest, KeepsTheListOnFailure) {
  SetAnswer(200, R"([{"targets": ["a:1"]}])");
  const auto source = Start();
  sink_.Await([](const auto& said) { return said.found > 0; });
  const auto fails = [&](int status, const std::string& body, const std::string& type,
                         const std::string& message) {
    SetAnswer(status, body, type);
    const auto said = sink_.Await([&](const auto& now) {
      return std::string(now.status.message()) == url_ + ": " + message;
    });
    EXPECT_EQ(std::string(said.status.message()), url_ + ": " + message);
    EXPECT_EQ(said.targets.size(), 1u);
  };
  fails(503, "", "application/json", "server returned HTTP status 503");
  fails(200, "[]", "text/html", "unsupported content type `text/html`");
  fails(200, "[]", "application/json; charset=latin1",
        "unsupported content type `application/json; charset=latin1`");
  fails(200, "[", "application/json",
        "not JSON: line 1, column 2: syntax error while parsing value - unexpected end of input; "
        "expected '[', '{', or a literal");
  fails(200, "{}", "application/json", "not a list of target groups");
  fails(200, R"([{}, {"targets": "a"}])", "application/json",
        "target group 1: `targets` is not a list");
  fails(200, R"([{"targets": [1]}])", "application/json",
        "target group 0: a target is not a string");
  fails(200, R"([{"labels": {"a": 1}}])", "application/json",
        "target group 0: the label `a` is not a string");
  fails(200, R"([{"hosts": []}])", "application/json", "target group 0: unknown key `hosts`");
  // What is long is shown in part.
  const std::string key(300'000, 'k');
  fails(200, R"([{")" + key + R"(": 1}])", "application/json",
        "target group 0: unknown key `" + key.substr(0, 200) + "...`");
  // Few bytes that stand for many targets, and many that stand for none.
  std::string targets = R"([{"labels": {"l": ")" + key + R"("}, "targets": ["a")";
  for (int i = 0; i < 500; ++i) targets += R"(,"a")";
  fails(200, targets + "]}]", "application/json", "the targets take more than 128 MiB");
  targets = R"([{"targets": [)";
  for (int i = 0; i < 2'200'000; ++i) targets += R"("",)";
  fails(200, targets, "application/json", "the targets take more than 128 MiB");
  targets = "[";
  for (int i = 0; i < 1'100'000; ++i) targets += "{},";
  fails(200, targets, "application/json", "the targets take more than 128 MiB");
  SetAnswer(200, "[]");
  EXPECT_TRUE(sink_.Await([](const auto& said) { return said.status.ok(); }).targets.empty());
}

// A server that asks to be left alone is, and for no longer than five minutes; one whose failure
// has another cause is asked again as ever.
TEST_F(HttpSourceTest, LeavesAlone) {
  const auto set = [this](int status, const std::string& seconds) {
    absl::MutexLock lock(&mutex_);
    answer_ = {.status = status, .headers = {{"Retry-After", seconds}}, .body = ""};
    asked_.clear();
  };
  set(500, "1000");
  auto source = Start();
  const auto failed_since = [&](int before) {
    return sink_.Await([&](const auto& said) { return said.failed > before; }).failed;
  };
  failed_since(2);
  set(429, "1");
  const auto asked_twice = [this]()
                               ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return asked_.size() > 1; };
  mutex_.LockWhen(absl::Condition(&asked_twice));
  EXPECT_GE(asked_[1] - asked_[0], absl::Seconds(1));
  mutex_.Unlock();
  set(503, "1000");
  const auto waits = [&] { return source->DebugState()["last_pause"] == "5m"; };
  for (int failures = 0; !waits() && failures < 1000;) failures = failed_since(failures);
  EXPECT_TRUE(waits()) << source->DebugState();
  EXPECT_EQ(Asked().size(), 1u);
}

// A source that waits for its peer ends at once, and says nothing more.
TEST_F(HttpSourceTest, EndsWhileItWaits) {
  absl::Notification asked;
  absl::Notification release;
  const auto slow = http::Server::Start({.addresses = {"127.0.0.1:0"}}, [&](const http::Request&) {
    if (!asked.HasBeenNotified()) asked.Notify();
    release.WaitForNotification();
    return http::Response{};
  });
  ASSERT_TRUE(slow.ok()) << slow.status();
  url_ = fmt::format("http://127.0.0.1:{}/targets", (*slow)->ports()[0]);
  auto source = Start();
  asked.WaitForNotification();
  source.reset();
  const auto said = sink_.Await([](const auto&) { return true; });
  EXPECT_EQ(said.found + said.failed, 0);
  release.Notify();
}

}  // namespace
}  // namespace stoker::discovery
