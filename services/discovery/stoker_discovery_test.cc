// The process itself, over its sockets.
#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <set>

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "services/common/rpc/dialer.h"
#include "services/common/runtime/spawner.h"
#include "services/common/targets/target_watcher.h"
#include "services/discovery/fake_proc.h"

namespace stoker::discovery {
namespace {

constexpr absl::Duration kDeadline = absl::Seconds(30);

class StokerDiscoveryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_FALSE(folder_.empty());
    WriteConfiguration(kConfiguration);
    Start();
  }
  void TearDown() override {
    watcher_.reset();
    kill(child_.pid, SIGTERM);
    int status = 0;
    waitpid(child_.pid, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
    std::filesystem::remove_all(folder_);
  }

  void WriteConfiguration(const std::string& text) const {
    std::ofstream(folder_ + "/config.alloy") << text;
  }
  void Start() {
    auto child = spawner_.Start(
        {.path = "services/discovery/stoker-discovery",
         .arguments = {"--config=" + folder_ + "/config.alloy", "--run-dir=" + folder_,
                       "--data-dir=" + folder_ + "/data", "--procfs=" + proc_.root().string(),
                       "--node-name=here", "--http.listen=127.0.0.1:0"},
         .ready_variable = runtime::kReadyVariable});
    ASSERT_TRUE(child.ok()) << child.status();
    child_ = *std::move(child);
    pollfd ready{.fd = child_.ready.get(), .events = POLLIN};
    ASSERT_EQ(poll(&ready, 1, static_cast<int>(absl::ToInt64Milliseconds(kDeadline))), 1);
    char line = 0;
    ASSERT_EQ(read(child_.ready.get(), &line, 1), 1) << "it ended before it was ready";
  }
  void Kill() {
    kill(child_.pid, SIGKILL);
    waitpid(child_.pid, nullptr, 0);
  }

  void Watch() {
    absl::MutexLock lock(&mutex_);
    watcher_ = std::make_unique<targets::TargetWatcher>(
        targets::TargetWatcher::Options{.address = "unix:" + folder_ + "/discovery.sock",
                                        .component_id = "pyroscope.ebpf.host",
                                        .node_name = "here"},
        dialer_, clock_, random_, [this] { Changed(); });
  }
  void Changed() {
    absl::MutexLock lock(&mutex_);
    names_.clear();
    for (const model::TargetPtr& target : watcher_->Targets()) {
      names_.insert(std::string(target->labels.Get("service_name")));
    }
    shortest_ = std::min(shortest_, names_.size());
    streams_ = watcher_->state().streams;
  }
  void Await(const std::function<bool()>& reached) {
    absl::MutexLock lock(&mutex_);
    EXPECT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(&reached), kDeadline));
  }

  static constexpr char kConfiguration[] = R"alloy(
discovery.process "all" { }
discovery.relabel "all" {
  targets = discovery.process.all.targets
  rule {
    source_labels = ["__meta_process_exe"]
    regex         = ".*/(.*)"
    target_label  = "service_name"
  }
}
pyroscope.ebpf "host" {
  targets    = discovery.relabel.all.output
  forward_to = [pyroscope.write.w.receiver]
}
pyroscope.write "w" {
  endpoint {
    url = "http://127.0.0.1:4040"
  }
}
)alloy";
  using Names = std::set<std::string>;

  // Short: a socket's path holds 107 bytes.
  static std::string MakeFolder() {
    std::string path = "/tmp/stoker_discovery_XXXXXX";
    return mkdtemp(path.data()) == nullptr ? "" : path;
  }
  const std::string folder_ = MakeFolder();
  FakeProc proc_{folder_ + "/proc"};
  runtime::SystemSpawner spawner_;
  runtime::Child child_;
  rpc::SystemDialer dialer_;
  SystemClock clock_;
  SystemRandom random_;
  absl::Mutex mutex_;
  Names names_ ABSL_GUARDED_BY(mutex_);
  std::size_t shortest_ ABSL_GUARDED_BY(mutex_) = 0;
  std::uint64_t streams_ ABSL_GUARDED_BY(mutex_) = 0;
  std::unique_ptr<targets::TargetWatcher> watcher_;
};

// Killed, discovery leaves its consumers their lists; started again, it tells what is new.
TEST_F(StokerDiscoveryTest, Killed) {
  proc_.Put({.pid = 10, .exe = "/bin/a"});
  proc_.Put({.pid = 11, .exe = "/bin/b"});
  Watch();
  Await([this] { return names_ == Names{"a", "b"}; });
  {
    absl::MutexLock lock(&mutex_);
    shortest_ = 2;
  }
  Kill();
  proc_.Put({.pid = 12, .exe = "/bin/c"});
  Start();
  Await([this] { return names_ == Names{"a", "b", "c"}; });
  absl::MutexLock lock(&mutex_);
  EXPECT_EQ(shortest_, 2u);
  EXPECT_GE(streams_, 2u);
}

// A reload changes what consumers have; one of a broken file changes nothing.
TEST_F(StokerDiscoveryTest, Reload) {
  proc_.Put({.pid = 10, .exe = "/bin/a"});
  Watch();
  Await([this] { return names_ == Names{"a"}; });
  WriteConfiguration("discovery.process {");
  kill(child_.pid, SIGHUP);
  proc_.Put({.pid = 11, .exe = "/bin/b"});
  Await([this] { return names_ == Names{"a", "b"}; });
  std::string text = kConfiguration;
  text.replace(text.find(".*/(.*)"), 7, ".*/(a)");
  WriteConfiguration(text);
  kill(child_.pid, SIGHUP);
  Await([this] { return names_ == Names{"a", ""}; });
}

}  // namespace
}  // namespace stoker::discovery
