#include "services/common/runtime/live_configuration.h"

#include <filesystem>
#include <fstream>

#include <absl/synchronization/notification.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "services/common/base/status.h"
#include "services/common/config/components/pyroscope_write.h"
#include "services/common/config/snapshot.h"

namespace stoker::runtime {
namespace {

using ::testing::HasSubstr;

constexpr char kText[] = R"(
local.file "url" { filename = "%/url" }
pyroscope.write "w" { endpoint { url = local.file.url.content } }
)";

class LiveConfigurationTest : public ::testing::Test {
 protected:
  LiveConfigurationTest() : folder_("/tmp/stoker_live_" + std::to_string(getpid())) {
    std::filesystem::create_directories(folder_);
    Write("url", "http://first");
    std::string text = kText;
    text.replace(text.find('%'), 1, folder_);
    Write("a.alloy", text);
  }
  ~LiveConfigurationTest() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& name, const std::string& text) {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path + ".next") << text;
    std::filesystem::rename(path + ".next", path);
  }

  std::unique_ptr<LiveConfiguration> Make(const std::string& name) {
    return std::make_unique<LiveConfiguration>(
        folder_ + "/" + name, config::MachineEnvironment(), clock_,
        LiveConfiguration::Events{
            .hash = [this](const std::string& hash) { hash_ = hash; },
            .health = [](const std::string&, const std::optional<absl::Status>&) {}});
  }

  // Remembers the URL that each configuration brings.
  ConfigurationSink Sink() {
    return [this](const ConfigurationPtr& configuration) -> absl::Status {
      if (refuse_) return Unavailable("not now");
      STOKER_ASSIGN_OR_RETURN(
          const auto arguments,
          configuration->Arguments<config::PyroscopeWrite>("pyroscope.write.w"));
      absl::MutexLock lock(&mutex_);
      urls_.push_back(arguments.endpoints.at(0).url);
      return absl::OkStatus();
    };
  }
  bool AwaitUrl(const std::string& url) {
    absl::MutexLock lock(&mutex_);
    const auto came = [&] { return !urls_.empty() && urls_.back() == url; };
    return mutex_.AwaitWithTimeout(absl::Condition(&came), absl::Seconds(30));
  }

  const std::string folder_;
  SystemClock clock_;
  std::string hash_;
  bool refuse_ = false;
  absl::Mutex mutex_;
  std::vector<std::string> urls_;
};

// What a local.file holds is taken over when it changes, without a reload.
TEST_F(LiveConfigurationTest, FollowsContents) {
  const auto live = Make("a.alloy");
  ASSERT_EQ(live->Start(Sink()), absl::OkStatus());
  EXPECT_TRUE(AwaitUrl("http://first"));
  Write("url", "http://second");
  EXPECT_TRUE(AwaitUrl("http://second"));
}

// A reload of a file that is refused, or that the sink refuses, leaves the hash and what is in
// force.
TEST_F(LiveConfigurationTest, RefusedReloadChangesNothing) {
  const auto live = Make("a.alloy");
  ASSERT_EQ(live->Start(Sink()), absl::OkStatus());
  const std::string before = hash_;
  EXPECT_EQ(before.size(), 64U);
  const std::string good = "pyroscope.write \"w\" { endpoint { url = \"http://third\" } }";
  Write("a.alloy", "pyroscope.write \"w\" {");
  EXPECT_THAT(std::string(live->Reload().message()), HasSubstr("a.alloy:1:"));
  EXPECT_EQ(hash_, before);
  Write("a.alloy", good);
  refuse_ = true;
  EXPECT_EQ(live->Reload().message(), "not now");
  EXPECT_EQ(hash_, before);
  refuse_ = false;
  EXPECT_EQ(live->Reload(), absl::OkStatus());
  EXPECT_NE(hash_, before);
  EXPECT_TRUE(AwaitUrl("http://third"));
}

// A wrong value stops a start; at a reload it is the component's affair.
TEST_F(LiveConfigurationTest, WrongValue) {
  const std::string bad =
      "discovery.relabel \"r\" { targets = []\n rule { regex = \"(\"\n target_label = \"a\" } }\n"
      "pyroscope.write \"w\" { endpoint { url = \"http://first\" } }";
  Write("bad.alloy", bad);
  EXPECT_THAT(std::string(Make("bad.alloy")->Start(Sink()).message()), HasSubstr("missing )"));
  const auto live = Make("a.alloy");
  ASSERT_EQ(live->Start(Sink()), absl::OkStatus());
  Write("a.alloy", bad);
  EXPECT_EQ(live->Reload(), absl::OkStatus());
}

// A snapshot is loaded as the files that it was taken of.
TEST_F(LiveConfigurationTest, Snapshot) {
  const config::RecordingEnvironment recording(config::MachineEnvironment());
  ASSERT_TRUE(config::Configuration::Load(folder_ + "/a.alloy", recording).ok());
  Write("c.snapshot", config::SerializeSnapshot(recording.Take(folder_ + "/a.alloy")));
  Write("a.alloy", "broken");
  const auto live = Make("c.snapshot");
  ASSERT_EQ(live->Start(Sink()), absl::OkStatus());
  EXPECT_TRUE(AwaitUrl("http://first"));
  live->Stop();
  EXPECT_EQ(live->Reload().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace stoker::runtime
