#include "services/common/contents/content_reader.h"

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <utility>

#include <absl/synchronization/notification.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "services/common/http/server.h"

namespace stoker::contents {
namespace {

using ::testing::HasSubstr;

constexpr absl::Duration kDeadline = absl::Seconds(30);

// A reader whose events can be waited for.
class ContentReaderTest : public ::testing::Test {
 protected:
  ContentReaderTest() : path_(fmt::format("/tmp/stoker_contents_{}", getpid())) {}
  ~ContentReaderTest() override { std::filesystem::remove(path_); }

  // Replaces the file in one step.
  void Write(const std::string& text) {
    std::ofstream(path_ + ".next") << text;
    std::filesystem::rename(path_ + ".next", path_);
  }
  void AwaitChanges(int count) {
    absl::MutexLock lock(&mutex_);
    const auto enough = [&] { return changes_ >= count; };
    ASSERT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(&enough), kDeadline));
  }
  void AwaitHealth(const std::string& id, bool ok) {
    absl::MutexLock lock(&mutex_);
    const auto reached = [&] { return health_.contains(id) && health_[id].ok() == ok; };
    ASSERT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(&reached), kDeadline));
  }

  ContentReader::Events Events() {
    return {.changed =
                [this] {
                  absl::MutexLock lock(&mutex_);
                  ++changes_;
                },
            .health =
                [this](const std::string& id, const std::optional<absl::Status>& status) {
                  absl::MutexLock lock(&mutex_);
                  if (status) {
                    health_[id] = *status;
                  } else {
                    health_.erase(id);
                  }
                }};
  }

  const std::string path_;
  SystemClock clock_;
  absl::Mutex mutex_;
  int changes_ = 0;
  std::map<std::string, absl::Status> health_;
  ContentReader reader_{config::MachineEnvironment(), clock_, Events()};
};

// A file is read as it is, its change is told, and its loss keeps what it held.
TEST_F(ContentReaderTest, File) {
  Write(" one\n");
  const config::LocalFile file{.filename = path_};
  EXPECT_EQ(*reader_.Read("local.file.a", file), " one\n");
  Write("two");
  AwaitChanges(1);
  EXPECT_EQ(*reader_.Read("local.file.a", file), "two");

  std::filesystem::remove(path_);
  AwaitHealth("local.file.a", false);
  EXPECT_EQ(*reader_.Read("local.file.a", file), "two");
  Write("two");
  AwaitHealth("local.file.a", true);
  EXPECT_EQ(changes_, 1);
}

// What never could be read is an error, until it can.
TEST_F(ContentReaderTest, MissingFile) {
  const config::LocalFile file{.filename = path_};
  EXPECT_THAT(reader_.Read("local.file.a", file).status().message(), HasSubstr(path_.c_str()));
  Write("here");
  AwaitChanges(1);
  EXPECT_EQ(*reader_.Read("local.file.a", file), "here");
}

// A component that is used no more has no health; with other arguments it is read anew.
TEST_F(ContentReaderTest, ForgetsAndRereads) {
  Write("one");
  EXPECT_EQ(*reader_.Read("local.file.a", {.filename = path_}), "one");
  reader_.ForgetUnused();
  EXPECT_TRUE(health_.contains("local.file.a"));
  EXPECT_EQ(*reader_.Read("local.file.a", {.filename = path_ + ".none"}), "one");
  EXPECT_FALSE(health_["local.file.a"].ok());
  reader_.ForgetUnused();
  reader_.ForgetUnused();
  EXPECT_FALSE(health_.contains("local.file.a"));
}

// remote.http sends what it is told, takes only 200, trims, and polls.
TEST_F(ContentReaderTest, Http) {
  std::atomic<int> status = 200;
  std::atomic<int> requests = 0;
  const auto server =
      http::Server::Start({.addresses = {"127.0.0.1:0"}}, [&](const http::Request& request) {
        ++requests;
        EXPECT_EQ(request.method, "POST");
        EXPECT_EQ(request.body, "question");
        EXPECT_EQ(request.headers.Get("X-Team"), "a");
        return http::Text(status,
                          fmt::format("  answer {}\n", status == 200 ? requests.load() : 0));
      });
  ASSERT_TRUE(server.ok()) << server.status();
  const config::RemoteHttp remote{
      .url = fmt::format("http://127.0.0.1:{}/config", (*server)->ports()[0]),
      .method = "POST",
      .headers = {{"X-Team", "a"}},
      .body = "question",
      .poll_frequency = absl::Milliseconds(100),
      .poll_timeout = absl::Milliseconds(90)};
  EXPECT_EQ(*reader_.Read("remote.http.r", remote), "answer 1");
  AwaitChanges(1);
  EXPECT_NE(*reader_.Read("remote.http.r", remote), "answer 1");
  status = 503;
  AwaitHealth("remote.http.r", false);
  EXPECT_THAT(std::string(health_["remote.http.r"].message()), HasSubstr("status code 503"));
  EXPECT_THAT(*reader_.Read("remote.http.r", remote), HasSubstr("answer"));
}

}  // namespace
}  // namespace stoker::contents
