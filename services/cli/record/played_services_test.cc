// What a recording plays: the forwarder, which takes each profile once, and discovery, whose list
// reaches a real watcher.
#include <gtest/gtest.h>

#include "services/cli/record/profile_receiver.h"
#include "services/cli/record/target_sender.h"
#include "services/common/base/clock.h"
#include "services/common/base/random.h"
#include "services/common/pprof/profile_builder.h"
#include "services/common/rpc/dialer.h"
#include "services/common/rpc/server.h"
#include "services/common/targets/target_watcher.h"

namespace stoker::cli {
namespace {

profile::v1::Profile OneSample(const std::string& id) {
  pprof::ProfileBuilder builder;
  builder.AddSampleType("cpu", "nanoseconds");
  builder.SetPeriod("cpu", "nanoseconds", 1);
  const auto function = builder.AddFunction({.name = "main"});
  const auto location = builder.AddLocation(0, 1, {{.function_id = function}});
  const std::int64_t value = 1;
  builder.AddSample(std::span(&location, 1), std::span(&value, 1));
  profile::v1::Profile profile;
  profile.set_id(id);
  profile.set_samples(1);
  profile.set_pprof(std::move(builder).FinishGzip());
  return profile;
}

std::string Folder() {
  std::string path = "/tmp/stoker-test-XXXXXX";
  EXPECT_NE(mkdtemp(path.data()), nullptr);
  return path;
}

TEST(ProfileReceiverTest, TakesEachOnceOverAStream) {
  Recording recording;
  ProfileReceiver receiver(recording);
  const std::string address = "unix:" + Folder() + "/forwarder.sock";
  const auto server = rpc::Server::Start({.addresses = {address}, .address_flag = {}}, {&receiver});
  ASSERT_TRUE(server.ok()) << server.status();
  rpc::SystemDialer dialer;
  const auto stub = profile::v1::ProfileService::NewStub(dialer.Dial(address));
  grpc::ClientContext context;
  const auto stream = stub->Push(&context);
  profile::v1::PushRequest request;
  *request.add_profiles() = OneSample("a");
  *request.add_profiles() = OneSample("a");
  *request.add_profiles() = OneSample("b");
  request.add_profiles()->set_id("empty");
  ASSERT_TRUE(stream->Write(request));
  profile::v1::PushResponse response;
  ASSERT_TRUE(stream->Read(&response));
  ASSERT_EQ(response.answers_size(), 4);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(response.answers(i).has_accepted());
  EXPECT_EQ(response.answers(3).rejected().reason(), "invalid_argument");
  EXPECT_EQ(response.answers(3).id(), "empty");
  EXPECT_EQ(recording.samples(), 2U);
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST(TargetSenderTest, ListAndChangesReachAWatcher) {
  TargetSender sender;
  sender.Set(42, "make");
  const std::string address = "unix:" + Folder() + "/discovery.sock";
  const auto server = rpc::Server::Start({.addresses = {address}, .address_flag = {}}, {&sender});
  ASSERT_TRUE(server.ok()) << server.status();
  rpc::SystemDialer dialer;
  SystemClock clock;
  SystemRandom random;
  absl::Mutex mutex;
  int changes = 0;
  targets::TargetWatcher watcher({.address = address, .component_id = "pyroscope.ebpf.record"},
                                 dialer, clock, random, [&] {
                                   absl::MutexLock lock(&mutex);
                                   ++changes;
                                 });
  // Waits until the watcher's list is as `wanted`: {pid: service_name}.
  const auto await = [&](const std::map<std::string, std::string>& wanted) {
    const auto same = [&] {
      std::map<std::string, std::string> list;
      for (const model::TargetPtr& target : watcher.Targets()) {
        list[std::string(target->labels.Get("__process_pid__"))] =
            target->labels.Get("service_name");
      }
      return list == wanted;
    };
    const absl::Time deadline = absl::Now() + absl::Seconds(20);
    while (!same() && absl::Now() < deadline) {
      absl::MutexLock lock(&mutex);
      const int seen = changes;
      const auto more = [&] { return changes > seen; };
      mutex.AwaitWithTimeout(absl::Condition(&more), absl::Milliseconds(50));
    }
    return same();
  };
  EXPECT_TRUE(await({{"42", "make"}}));
  EXPECT_TRUE(watcher.state().synced);
  // A child under its parent's name, which then executes a compiler.
  sender.Set(43, "make");
  EXPECT_TRUE(await({{"42", "make"}, {"43", "make"}}));
  sender.Set(43, "cc1");
  EXPECT_TRUE(await({{"42", "make"}, {"43", "cc1"}}));
}

}  // namespace
}  // namespace stoker::cli
