// Profiles wait in memory, then on disk, and each reaches the forwarder under its id: over an
// outage, an overflow, a restart and a disk that fails.
#include "services/common/forwarding/profile_queue.h"

#include <deque>
#include <set>

#include <absl/synchronization/mutex.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/common/testing/fake_clock.h"
#include "services/common/testing/mem_env.h"

namespace stoker::forwarding {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr absl::Duration kDeadline = absl::Seconds(20);
constexpr std::size_t kProfileBytes = 300'000;

struct FakeSink final : ProfileSink {
  void Send(std::shared_ptr<const profile::v1::Profile> profile) override {
    sent.push_back(profile->id());
  }
  std::vector<std::string> sent;
};

profile::v1::PushResponse AnswerTo(const std::string& id,
                                   const std::function<void(profile::v1::Answer&)>& set) {
  profile::v1::PushResponse response;
  response.add_answers()->set_id(id);
  set(*response.mutable_answers(0));
  return response;
}

// A producer with a queue, that can be ended and started again on the same disk.
class ProfileQueueTest : public ::testing::Test {
 protected:
  // What one life of a process has.
  struct Life {
    Life(ProfileQueueTest& test, Env* env) {
      if (env != nullptr) {
        auto opened =
            ProfileSpool::Open({.folder = "/spool", .max_bytes = 64 << 20, .name = "test"}, *env,
                               test.clock_, registry, stage);
        EXPECT_TRUE(opened.ok()) << opened.status();
        spool = *std::move(opened);
      }
      queue = std::make_unique<ProfileQueue>(1 << 20, sink, stage, gauge);
      if (spool == nullptr) return;
      queue->UseSpool(*spool, test.clock_,
                      {.accepted = [this](const std::string& producer,
                                          absl::Duration) { accepted.insert(producer); },
                       .post =
                           [this](std::function<void()> event) {
                             absl::MutexLock lock(&mutex);
                             events.push_back(std::move(event));
                           }});
    }
    ~Life() {
      // Its thread ends: what comes from it is not run.
      queue.reset();
      spool.reset();
    }

    metrics::Registry registry;
    metrics::Stage stage{registry, "test"};
    prometheus::Gauge& gauge = registry.Gauge("stoker_test_queue_bytes", "For the test.");
    FakeSink sink;
    std::multiset<std::string> accepted;
    absl::Mutex mutex;
    std::deque<std::function<void()>> events;
    std::unique_ptr<ProfileSpool> spool;
    std::unique_ptr<ProfileQueue> queue;
  };

  void Start(bool with_spool = true) {
    life_ = std::make_unique<Life>(*this, with_spool ? env_.get() : nullptr);
  }
  ProfileQueue& queue() { return *life_->queue; }
  std::vector<std::string>& sent() { return life_->sink.sent; }

  void Add(const std::string& id, std::uint64_t samples = 1) {
    auto profile = std::make_shared<profile::v1::Profile>();
    profile->set_id(id);
    profile->set_samples(samples);
    profile->set_producer("pyroscope.scrape.t");
    profile->set_pprof(std::string(kProfileBytes, 'x'));
    queue().Add(
        std::move(profile), [life = life_.get()](absl::Duration) { life->accepted.insert("own"); },
        clock_.Monotonic());
  }
  void Tick(absl::Duration after = absl::Milliseconds(20)) {
    clock_.Advance(after);
    queue().Tick(clock_.Monotonic());
  }
  // Runs what the disk's thread posts until `holds`.
  void RunUntil(const std::function<bool()>& holds) {
    const absl::Time end = absl::Now() + kDeadline;
    while (!holds()) {
      std::function<void()> event;
      {
        absl::MutexLock lock(&life_->mutex);
        const auto any = [&] { return !life_->events.empty(); };
        ASSERT_TRUE(life_->mutex.AwaitWithDeadline(absl::Condition(&any), end));
        event = std::move(life_->events.front());
        life_->events.pop_front();
      }
      event();
    }
  }
  // Runs what the disk's thread has posted, or posts within a moment.
  void RunWhatComes() {
    std::deque<std::function<void()>> events;
    {
      absl::MutexLock lock(&life_->mutex);
      const auto any = [&] { return !life_->events.empty(); };
      life_->mutex.AwaitWithTimeout(absl::Condition(&any), absl::Milliseconds(100));
      events.swap(life_->events);
    }
    for (const auto& event : events) event();
  }
  void Accept(const std::string& id) {
    queue().OnAnswers(AnswerTo(id, [](auto& answer) { answer.mutable_accepted(); }),
                      clock_.Monotonic());
  }
  metrics::Stage::Counts Counts() { return life_->stage.Read(); }
  void ExpectConserved() {
    Tick();
    EXPECT_THAT(life_->registry.Text(), ::testing::HasSubstr("conservation_error 0\n"));
  }

  testing::FakeClock clock_;
  std::unique_ptr<testing::MemEnv> env_ = std::make_unique<testing::MemEnv>();
  std::unique_ptr<Life> life_;
};

TEST_F(ProfileQueueTest, NothingGoesToDiskWhileTheForwarderTakesIt) {
  Start();
  queue().OnConnected();
  for (int i = 0; i < 20; ++i) {
    const std::string id = fmt::format("{:016}", i);
    Add(id);
    Tick();
    Accept(id);
  }
  EXPECT_THAT(sent(), SizeIs(20));
  EXPECT_EQ(queue().size(), 0U);
  EXPECT_EQ(life_->spool->state().last_sequence, 0U);
  EXPECT_EQ(Counts().out, 20U);
  ExpectConserved();
}

TEST_F(ProfileQueueTest, AShortOutageIsSpentInMemory) {
  Start();
  queue().OnConnected();
  Add("a");
  queue().OnLost();
  Tick();
  Tick(ProfileQueue::kPatience - absl::Milliseconds(30));
  queue().OnConnected();
  EXPECT_THAT(sent(), ElementsAre("a", "a"));
  EXPECT_EQ(queue().spilled(), 0U);
}

// The process is killed while the forwarder is away; the disk loses its power as well.
TEST_F(ProfileQueueTest, AnOutageIsSurvivedOnDisk) {
  Start();
  Tick();
  Add("a", 3);
  Add("b", 4);
  Tick(ProfileQueue::kPatience);
  Add("c", 5);
  Tick();
  RunUntil([&] { return queue().unsaved() == 0; });
  EXPECT_EQ(queue().size(), 0U);
  EXPECT_EQ(Counts().InFlight(), 12U);
  ExpectConserved();

  SystemRandom random;
  auto crashed = env_->CrashClone(random);
  life_.reset();
  env_ = std::move(crashed);
  Start();
  EXPECT_EQ(Counts().in, 12U);
  queue().OnConnected();
  Tick();
  EXPECT_THAT(sent(), ElementsAre("a", "b", "c"));
  Accept("a");
  queue().OnAnswers(
      AnswerTo("b", [](auto& answer) { answer.mutable_rejected()->set_reason("too_large"); }),
      clock_.Monotonic());
  EXPECT_EQ(Counts().out, 3U);
  EXPECT_EQ(Counts().dropped.at("refused"), 4U);
  EXPECT_THAT(life_->accepted, ElementsAre("pyroscope.scrape.t"));
  ExpectConserved();

  // The answer to "c" never came: it is sent again, now and in the next life.
  queue().OnLost();
  queue().OnConnected();
  EXPECT_THAT(sent(), ElementsAre("a", "b", "c", "c"));
  Start(false);
  Start();
  queue().OnConnected();
  Tick();
  EXPECT_THAT(sent(), ElementsAre("c"));
  Accept("c");
  Start(false);
  Start();
  queue().OnConnected();
  Tick();
  EXPECT_THAT(sent(), IsEmpty());
}

// It is connected and answers nothing: the oldest go to disk, none is lost, and come back.
TEST_F(ProfileQueueTest, OverflowGoesToDisk) {
  Start();
  queue().OnConnected();
  std::set<std::string> ids;
  for (int i = 0; i < 12; ++i) {
    ids.insert(fmt::format("{:016}", i));
    Add(fmt::format("{:016}", i));
    Tick();
    const std::size_t in_memory = (std::size_t{1} << 20) / 2 / kProfileBytes;
    RunUntil([&] { return queue().unsaved() <= in_memory; });
  }
  EXPECT_EQ(Counts().TotalDropped(), 0U);
  EXPECT_GE(queue().spilled(), 10U);
  const std::set<std::string> all(sent().begin(), sent().end());
  EXPECT_EQ(all, ids);
  // What is being written when its answer comes is sent once more.
  for (int i = 0; i < 50 && Counts().out < 12; ++i) {
    for (const std::string& id : ids) Accept(id);
    RunWhatComes();
    Tick();
  }
  EXPECT_EQ(Counts().out, 12U);
  ExpectConserved();
}

// The forwarder answers while the disk takes the profile: it is sent once more, and counted once.
TEST_F(ProfileQueueTest, AnAnswerDuringTheWriteCountsOnce) {
  Start();
  Tick();
  Add("a", 7);
  Tick(ProfileQueue::kPatience);
  queue().OnConnected();
  Accept("a");
  RunUntil([&] { return queue().unsaved() == 0; });
  Tick();
  EXPECT_THAT(sent(), ElementsAre("a"));
  Accept("a");
  EXPECT_EQ(Counts().out, 7U);
  ExpectConserved();
}

TEST_F(ProfileQueueTest, TheEndSpillsTheRest) {
  Start();
  queue().OnConnected();
  Add("a");
  Add("b");
  Accept("a");
  queue().SpillAll();
  // Ends, as a process does, without its thread hearing of the disk.
  Start(false);
  Start();
  queue().OnConnected();
  Tick();
  EXPECT_THAT(sent(), ElementsAre("b"));
}

TEST_F(ProfileQueueTest, ADiskThatRefusesCostsTheOldestAndIsAskedAgain) {
  Start();
  Tick();
  Tick(ProfileQueue::kPatience);
  env_->SetCapacity(0);
  for (int i = 0; i < 5; ++i) {
    Add(fmt::format("{:016}", i));
    Tick();
    RunWhatComes();
  }
  EXPECT_GT(Counts().dropped["queue_full"], 0U);
  ExpectConserved();
  env_->SetCapacity(1 << 30);
  const std::uint64_t kept = Counts().InFlight();
  // The disk's thread looks for space by itself.
  for (const absl::Time end = absl::Now() + kDeadline;
       queue().unsaved() > 0 && absl::Now() < end;) {
    Tick(absl::Seconds(1));
    RunWhatComes();
  }
  EXPECT_EQ(queue().unsaved(), 0U);
  EXPECT_EQ(queue().spilled(), kept);
  ExpectConserved();
}

// Without a disk the oldest go past the bound, and all are counted.
TEST_F(ProfileQueueTest, MemoryAloneIsBounded) {
  Start(false);
  for (const char* id : {"a", "b", "c", "d", "e"}) Add(id);
  EXPECT_EQ(queue().size(), 3U);
  EXPECT_EQ(Counts().dropped.at("queue_full"), 2U);
  queue().OnConnected();
  ASSERT_THAT(sent(), ElementsAre("c", "d", "e"));
  Accept("c");
  queue().OnAnswers(
      AnswerTo("d", [](auto& answer) { answer.mutable_rejected()->set_reason("too_large"); }),
      clock_.Monotonic());
  queue().OnAnswers(AnswerTo("e", [](auto& answer) { answer.set_retry_after_ms(1000); }),
                    clock_.Monotonic());
  EXPECT_EQ(queue().size(), 1U);
  Tick(absl::Milliseconds(999));
  EXPECT_THAT(sent(), SizeIs(3));
  Tick(absl::Milliseconds(1));
  EXPECT_THAT(sent(), ElementsAre("c", "d", "e", "e"));
  EXPECT_EQ(Counts().in, 5U);
  EXPECT_EQ(Counts().out, 1U);
  EXPECT_EQ(Counts().InFlight(), 1U);
  ExpectConserved();
}

}  // namespace
}  // namespace stoker::forwarding
