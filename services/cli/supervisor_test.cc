#include "services/cli/supervisor.h"

#include <map>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "services/common/base/status.h"
#include "services/common/testing/fake_clock.h"

namespace stoker::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

// Children that do what the test says.
class FakeSpawner final : public runtime::Spawner {
 public:
  absl::StatusOr<runtime::Child> Start(const runtime::Program& program) override {
    if (broken.contains(program.path)) return NotFound("start {}: exec", program.path);
    started.push_back(program.path);
    pids[program.path] = ++last_pid;
    return runtime::Child{.pid = last_pid, .ready = {}};
  }
  void Signal(pid_t pid, int number) override { signals.emplace_back(pid, number); }
  std::optional<Ended> Reap() override { return std::nullopt; }

  pid_t last_pid = 100;
  std::vector<std::string> started;
  std::map<std::string, pid_t> pids;
  std::map<std::string, bool> broken;
  std::vector<std::pair<pid_t, int>> signals;
};

class SupervisorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    supervisor_.Add("store", {.path = "store"}, 2);
    supervisor_.Add("forwarder", {.path = "forwarder"}, 1);
    supervisor_.Add("collector", {.path = "collector"}, 0);
  }

  void StartAll() {
    supervisor_.Tick();
    for (const char* name : {"store", "forwarder", "collector"}) {
      supervisor_.OnReady(name, true);
      supervisor_.Tick();
    }
  }
  void End(const std::string& name, const std::string& how = "signal 9") {
    supervisor_.OnEnded({spawner_.pids[name], how});
    supervisor_.Tick();
  }

  testing::FakeClock clock_;
  FakeSpawner spawner_;
  std::vector<std::string> said_;
  Supervisor supervisor_{spawner_, clock_, {}, [this](const auto& name, const auto& line) {
                           said_.push_back(name + ": " + line);
                         }};
};

// Each process starts when the one before it is ready.
TEST_F(SupervisorTest, StartsInOrder) {
  supervisor_.Tick();
  EXPECT_THAT(spawner_.started, ElementsAre("store"));
  supervisor_.OnReady("store", true);
  supervisor_.Tick();
  EXPECT_THAT(spawner_.started, ElementsAre("store", "forwarder"));
  EXPECT_FALSE(supervisor_.all_ready());
  supervisor_.OnReady("forwarder", true);
  supervisor_.Tick();
  supervisor_.OnReady("collector", true);
  EXPECT_TRUE(supervisor_.all_ready());
}

// A process that is never ready, dies at once or cannot be started does not keep the rest from
// running.
TEST_F(SupervisorTest, GoesOnWithoutOne) {
  supervisor_.Tick();
  clock_.Advance(absl::Seconds(30));
  supervisor_.Tick();
  EXPECT_THAT(spawner_.started, ElementsAre("store", "forwarder"));
  End("forwarder", "exit status 1");
  EXPECT_THAT(spawner_.started, ElementsAre("store", "forwarder", "collector"));
}

TEST_F(SupervisorTest, MissingBinary) {
  spawner_.broken["store"] = true;
  supervisor_.Tick();
  EXPECT_THAT(spawner_.started, ElementsAre("forwarder"));
  EXPECT_THAT(said_, ElementsAre("store: start store: exec"));
}

// One that dies is started again, after pauses that double and are forgotten after a steady run.
TEST_F(SupervisorTest, Restarts) {
  StartAll();
  End("forwarder");
  EXPECT_EQ(spawner_.started.size(), 3);
  clock_.Advance(absl::Milliseconds(100));
  supervisor_.Tick();
  EXPECT_EQ(spawner_.started.size(), 4);
  End("forwarder");
  clock_.Advance(absl::Milliseconds(199));
  supervisor_.Tick();
  EXPECT_EQ(spawner_.started.size(), 4);
  clock_.Advance(absl::Milliseconds(1));
  supervisor_.Tick();
  EXPECT_EQ(spawner_.started.size(), 5);

  supervisor_.OnReady("forwarder", true);
  clock_.Advance(absl::Seconds(10));
  supervisor_.Tick();
  End("forwarder");
  clock_.Advance(absl::Milliseconds(100));
  supervisor_.Tick();
  EXPECT_EQ(spawner_.started.size(), 6);
}

// Sources stop first; the next stage is told when they have ended.
TEST_F(SupervisorTest, StopsByStage) {
  StartAll();
  supervisor_.Stop();
  supervisor_.Tick();
  EXPECT_THAT(spawner_.signals, ElementsAre(Pair(spawner_.pids["collector"], SIGTERM)));
  supervisor_.Tick();
  EXPECT_EQ(spawner_.signals.size(), 1);
  End("collector", "exit status 0");
  EXPECT_EQ(spawner_.signals.back(), std::pair(spawner_.pids["forwarder"], SIGTERM));
  End("forwarder", "exit status 0");
  EXPECT_EQ(spawner_.signals.back(), std::pair(spawner_.pids["store"], SIGTERM));
  EXPECT_FALSE(supervisor_.stopped());
  End("store", "exit status 0");
  EXPECT_TRUE(supervisor_.stopped());
}

// What has not ended in time is named and killed; nothing is started again meanwhile.
TEST_F(SupervisorTest, KillsAfterTheLimit) {
  StartAll();
  supervisor_.Stop();
  supervisor_.Tick();
  said_.clear();
  clock_.Advance(absl::Seconds(30));
  supervisor_.Tick();
  EXPECT_THAT(said_, ElementsAre("store: still running 30s after the stop; killed",
                                 "forwarder: still running 30s after the stop; killed",
                                 "collector: still running 30s after the stop; killed"));
  for (const char* name : {"store", "forwarder", "collector"}) End(name);
  EXPECT_TRUE(supervisor_.stopped());
  EXPECT_EQ(spawner_.started.size(), 3);
}

}  // namespace
}  // namespace stoker::cli
