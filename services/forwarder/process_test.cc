#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <absl/synchronization/mutex.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/profile/v1/profile_service.grpc.pb.h"
#include "proto/push/v1/push.pb.h"
#include "services/common/http/server.h"

namespace stoker::forwarder {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;

// Pyroscope as far as the forwarder sees it: takes pushes, remembers their ids.
class FarEnd {
 public:
  // Listens on the port it had before, if any.
  void Start() {
    auto server =
        http::Server::Start({.addresses = {fmt::format("127.0.0.1:{}", port_)}},
                            [this](const http::Request& request) { return Take(request); });
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    port_ = server_->ports()[0];
  }
  void Stop() { server_.reset(); }

  [[nodiscard]] std::string url() const { return fmt::format("http://127.0.0.1:{}", port_); }

  // Waits until all `ids` came; those that did not.
  std::set<std::string> Missing(const std::set<std::string>& ids) {
    absl::MutexLock lock(&mutex_);
    const auto all = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return std::all_of(ids.begin(), ids.end(),
                         [&](const auto& id) { return times_.contains(id); });
    };
    mutex_.AwaitWithTimeout(absl::Condition(&all), absl::Seconds(30));
    std::set<std::string> missing;
    for (const std::string& id : ids) {
      if (!times_.contains(id)) missing.insert(id);
    }
    return missing;
  }

 private:
  http::Response Take(const http::Request& request) {
    push::v1::PushRequest push;
    if (request.path != "/push.v1.PusherService/Push" || !push.ParseFromString(request.body)) {
      return http::Text(404, "no");
    }
    absl::MutexLock lock(&mutex_);
    ++times_[push.series(0).samples(0).id()];
    return http::Text(200, "");
  }

  int port_ = 0;
  absl::Mutex mutex_;
  // How often each id came.
  std::map<std::string, int> times_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<http::Server> server_;
};

// A forwarder process of its own folders.
class ForwarderProcess {
 public:
  explicit ForwarderProcess(const std::string& url)
      : folder_("/tmp/stoker_forwarder_test." + std::to_string(::getpid())) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    std::ofstream(folder_ + "/config.alloy")
        << "pyroscope.write \"x\" {\n  endpoint {\n    url = \"" << url
        << "\"\n    max_backoff_period = \"1s\"\n"
        << "  }\n}\n";
  }
  ~ForwarderProcess() {
    if (pid_ > 0) End(SIGKILL);
    std::filesystem::remove_all(folder_);
  }

  void Start() {
    pid_ = ::fork();
    ASSERT_GE(pid_, 0);
    if (pid_ > 0) return;
    const int log = ::open((folder_ + "/log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(log, 2);
    const std::string config = folder_ + "/config.alloy";
    ::execl("services/forwarder/stoker-forwarder", "stoker-forwarder", "--config", config.c_str(),
            "--run-dir", folder_.c_str(), "--data-dir", folder_.c_str(), "--http.listen", "",
            "--grpc.listen", "", nullptr);
    ::_exit(127);
  }

  // Sends the signal; how long the process took to end, and its exit status (-1: killed).
  std::pair<steady_clock::duration, int> End(int signal_number) {
    const auto start = steady_clock::now();
    ::kill(pid_, signal_number);
    int status = 0;
    ::waitpid(std::exchange(pid_, 0), &status, 0);
    return {steady_clock::now() - start, WIFEXITED(status) ? WEXITSTATUS(status) : -1};
  }

  [[nodiscard]] std::shared_ptr<grpc::Channel> Dial() const {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 20);
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 20);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 20);
    // A channel of its own each time, not one shared by arguments.
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel("unix:" + folder_ + "/forwarder.sock",
                                     grpc::InsecureChannelCredentials(), arguments);
  }

  [[nodiscard]] std::string Log() const {
    std::ifstream file(folder_ + "/log");
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  const std::string folder_;
  pid_t pid_ = 0;
};

std::string UuidOf(const std::string& id) {
  std::string text;
  for (std::size_t i = 0; i < id.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += fmt::format("{:02x}", static_cast<unsigned char>(id[i]));
  }
  return text;
}

// Pushes `count` profiles with ids from `first`; the ids, as the far end names them, of those that
// were accepted before the stream broke or all were answered.
std::set<std::string> Push(ForwarderProcess& process, int first, int count) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + seconds(20));
  context.set_wait_for_ready(true);
  const auto stub = profile::v1::ProfileService::NewStub(process.Dial());
  const auto stream = stub->Push(&context);
  for (int i = 0; i < count; ++i) {
    profile::v1::PushRequest request;
    profile::v1::Profile& profile = *request.add_profiles();
    profile.set_id(fmt::format("{:016}", first + i));
    profile.set_pprof(std::string(2'000, 'p'));
    profile.set_samples(1);
    auto& label = *profile.add_labels();
    label.set_name("service_name");
    label.set_value("shop");
    if (!stream->Write(request)) break;
  }
  stream->WritesDone();
  std::set<std::string> accepted;
  for (profile::v1::PushResponse response; stream->Read(&response);) {
    for (const auto& answer : response.answers()) {
      if (answer.has_accepted()) accepted.insert(UuidOf(answer.id()));
    }
  }
  (void)stream->Finish();
  return accepted;
}

class ProcessTest : public ::testing::Test {
 protected:
  void SetUp() override {
    far_end_.Start();
    process_ = std::make_unique<ForwarderProcess>(far_end_.url());
    process_->Start();
  }
  void TearDown() override {
    if (HasFailure()) std::fputs(process_->Log().c_str(), stderr);
  }

  FarEnd far_end_;
  std::unique_ptr<ForwarderProcess> process_;
};

// What was accepted arrives.
TEST_F(ProcessTest, Delivers) {
  const auto accepted = Push(*process_, 0, 100);
  EXPECT_EQ(accepted.size(), 100);
  EXPECT_TRUE(far_end_.Missing(accepted).empty());
}

// A forwarder killed again and again while the far end is down loses nothing it had accepted.
TEST_F(ProcessTest, SurvivesKillsWithTheFarEndDown) {
  far_end_.Stop();
  std::mt19937 random(1);
  std::set<std::string> accepted;
  for (int life = 0; life < 10; ++life) {
    std::thread killer([&, delay = std::chrono::milliseconds(50 + random() % 250)] {
      // The instant is the point of the test: any will do.
      std::this_thread::sleep_for(delay);
      process_->End(SIGKILL);
    });
    accepted.merge(Push(*process_, life * 10'000, 3'000));
    killer.join();
    process_->Start();
  }
  EXPECT_GT(accepted.size(), 100);
  far_end_.Start();
  const auto missing = far_end_.Missing(accepted);
  EXPECT_TRUE(missing.empty()) << missing.size() << " of " << accepted.size();
}

// On SIGTERM with the far end down it ends at once, cleanly, and the next start delivers.
TEST_F(ProcessTest, StopsAtOnceAndKeepsTheBacklog) {
  far_end_.Stop();
  const auto accepted = Push(*process_, 0, 500);
  EXPECT_EQ(accepted.size(), 500);
  const auto [took, status] = process_->End(SIGTERM);
  EXPECT_LE(took, seconds(5));
  EXPECT_EQ(status, 0);
  far_end_.Start();
  process_->Start();
  EXPECT_TRUE(far_end_.Missing(accepted).empty());
}

}  // namespace
}  // namespace stoker::forwarder
