// Proves what is done with a JVM, and when: attached, rotated once an interval, renewed, taken
// over, tried again with growing waits, let go; and that a chunk's bytes are given back when its
// profiles were accepted, not before.
#include "services/collector/java/jvm_session.h"

#include <deque>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "services/common/base/status.h"

namespace stoker::java {
namespace {

using testing::ElementsAre;

// Chunks are 100 bytes long; the first byte says whether one is finished ('f').
constexpr std::size_t kChunk = 100;

class JvmSessionTest : public testing::Test, protected Surroundings, protected Attacher {
 protected:
  JvmSessionTest() {
    SessionSettings settings{.component_id = "pyroscope.java.test",
                             .node = "node",
                             .tmp_dir = "/tmp",
                             .interval = absl::Seconds(10)};
    settings.options = {.text = "jfr"};
    settings_ = std::make_shared<const SessionSettings>(settings);
    session_ = std::make_unique<JvmSession>(
        procfs::ProcessKey{.pid = 7, .start_ticks = 99}, model::Labels{{"app", "a"}}, settings_,
        JvmSession::Parts{*this, *this, queue_, metrics_, component_metrics_},
        absl::ZeroDuration());
  }

  // Surroundings: everything happens at once, in order.
  void Post(std::function<void(Now)> event) override { events_.push_back(std::move(event)); }
  bool RunAside(std::function<void()> work) override {
    work();
    return true;
  }
  void Convert(std::shared_ptr<const Recording> recording, jfr::ConversionRequest request,
               std::function<void(absl::StatusOr<jfr::Conversion>)> done) override {
    char kind = 0;
    jfr::Conversion conversion;
    conversion.set_next_offset(request.offset());
    const bool there = pread(recording->fd(), &kind, 1, static_cast<off_t>(request.offset())) == 1;
    if (there && kind == 'f') {
      conversion.set_next_offset(request.offset() + kChunk);
      conversion.set_chunks(1);
      auto* profile = conversion.add_profiles();
      profile->set_name("process_cpu");
      profile->set_samples(5);
      profile->set_start_ns(static_cast<std::int64_t>(request.offset()));
    }
    conversion.set_bytes_left(*recording->Size() - conversion.next_offset());
    if (there && kind == 'b') return done(DataLoss("bad"));
    done(conversion);
  }
  void Run(const AttachRequest& request, std::function<void(AttachReply)> done) override {
    actions_.push_back(request.action);
    done_ = std::move(done);
  }

  // A helper's answer.
  void Answer(AttachOutcome outcome, UniqueFd recording = {}, bool adopted = false) {
    AttachReply reply;
    reply.outcome = outcome;
    reply.message = Name(outcome);
    reply.recording = std::move(recording);
    reply.adopted = adopted;
    std::exchange(done_, nullptr)(std::move(reply));
    Settle();
  }
  void Settle() {
    while (!events_.empty()) {
      const auto event = std::move(events_.front());
      events_.pop_front();
      event(now_);
    }
  }
  void Advance(absl::Duration by) {
    const absl::Duration end = now_.monotonic + by;
    while (now_.monotonic < end) {
      now_.monotonic += absl::Milliseconds(100);
      now_.wall += absl::Milliseconds(100);
      session_->Tick(now_);
      Settle();
    }
  }
  UniqueFd NewRecording(const std::string& chunks) {
    UniqueFd fd(open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    file_ = dup(fd.get());
    size_ = 0;
    Append(chunks);
    return fd;
  }
  void Append(const std::string& chunks) {
    for (const char kind : chunks) {
      const std::string bytes(kChunk, kind);
      EXPECT_EQ(pwrite(file_, bytes.data(), kChunk, static_cast<off_t>(size_)), ssize_t{kChunk});
      size_ += kChunk;
    }
  }
  // The open chunk ends, another begins.
  void Rotate() {
    size_ -= kChunk;
    Append("fo");
  }
  std::string Kinds() const {
    std::string kinds;
    for (std::size_t at = 0; at < size_; at += kChunk) {
      char kind = 0;
      EXPECT_EQ(pread(file_, &kind, 1, static_cast<off_t>(at)), 1);
      kinds += kind == 0 ? '.' : kind;
    }
    return kinds;
  }
  std::string StateName() const { return session_->State(now_)["state"]; }
  std::vector<AttachAction> TakeActions() { return std::exchange(actions_, {}); }
  void StartRecording() {
    session_->Tick(now_);
    Answer(AttachOutcome::kOk, NewRecording("o"));
    TakeActions();
  }

  class Sink final : public forwarding::ProfileSink {
   public:
    void Send(std::shared_ptr<const profile::v1::Profile> profile) override {
      sent.push_back(std::move(profile));
    }
    std::vector<std::shared_ptr<const profile::v1::Profile>> sent;
  };

  metrics::Registry registry_;
  Metrics metrics_{registry_};
  std::shared_ptr<const ComponentMetrics> component_metrics_ =
      std::make_shared<const ComponentMetrics>(registry_, "pyroscope.java.test");
  Sink sink_;
  forwarding::ProfileQueue queue_{1 << 20, sink_, metrics_.stage,
                                  metrics_.registry.Gauge("stoker_test_queue_bytes", "")};
  std::shared_ptr<const SessionSettings> settings_;
  Now now_{absl::Seconds(1000), absl::FromUnixSeconds(1'700'000'000)};
  std::deque<std::function<void(Now)>> events_;
  std::vector<AttachAction> actions_;
  std::function<void(AttachReply)> done_;
  int file_ = -1;
  std::size_t size_ = 0;
  std::unique_ptr<JvmSession> session_;
};

TEST_F(JvmSessionTest, RotatesOnceAnInterval) {
  StartRecording();
  EXPECT_EQ(StateName(), "attached");
  int rotations = 0;
  for (int step = 0; step < 500; ++step) {
    Advance(absl::Milliseconds(100));
    if (done_ == nullptr) continue;
    ASSERT_THAT(TakeActions(), ElementsAre(AttachAction::kDump));
    Rotate();
    Answer(AttachOutcome::kOk);
    ++rotations;
  }
  EXPECT_GE(rotations, 4);
  EXPECT_LE(rotations, 6);
  EXPECT_EQ(metrics_.stage.Read().in, 5U * static_cast<unsigned>(rotations));
}

TEST_F(JvmSessionTest, BytesAreGivenBackWhenTheForwarderHasThem) {
  queue_.OnConnected();
  StartRecording();
  Advance(absl::Seconds(20));
  Rotate();
  Answer(AttachOutcome::kOk);
  ASSERT_EQ(sink_.sent.size(), 1U);
  EXPECT_EQ(Kinds(), "fo");
  profile::v1::PushResponse response;
  auto* answer = response.add_answers();
  answer->set_id(sink_.sent[0]->id());
  answer->mutable_accepted();
  queue_.OnAnswers(response, now_.monotonic);
  EXPECT_EQ(Kinds(), ".o");
}

TEST_F(JvmSessionTest, TakesOverWhatWasNotDelivered) {
  session_->Tick(now_);
  Answer(AttachOutcome::kOk, NewRecording(std::string(1, '\0') + "fo"), /*adopted=*/true);
  Advance(absl::Seconds(20));
  // Nobody knows how long it lives: it is replaced at its first turn.
  EXPECT_THAT(TakeActions(), ElementsAre(AttachAction::kStart, AttachAction::kRestart));
  size_ -= kChunk;
  Append("f");
  Answer(AttachOutcome::kOk, UniqueFd(open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)));
  EXPECT_EQ(metrics_.stage.Read().in, 10U);
}

TEST_F(JvmSessionTest, RenewsTheRecordingAfterTenIntervals) {
  StartRecording();
  std::vector<AttachAction> all;
  for (int step = 0; step < 1300; ++step) {
    Advance(absl::Milliseconds(100));
    for (const AttachAction action : TakeActions()) all.push_back(action);
    if (done_ == nullptr) continue;
    const bool renew = all.back() == AttachAction::kRestart;
    if (!renew) Rotate();
    Answer(AttachOutcome::kOk, renew ? NewRecording("o") : UniqueFd());
  }
  EXPECT_EQ(std::ranges::count(all, AttachAction::kRestart), 1);
  EXPECT_GE(std::ranges::count(all, AttachAction::kDump), 10);
}

TEST_F(JvmSessionTest, StartsAnewWhenTheRecordingEndedByItself) {
  StartRecording();
  Advance(absl::Seconds(20));
  TakeActions();
  // Finished, and no other begins.
  size_ -= kChunk;
  Append("f");
  Answer(AttachOutcome::kOk);
  Advance(absl::Milliseconds(200));
  EXPECT_THAT(TakeActions(), ElementsAre(AttachAction::kStart));
  EXPECT_EQ(metrics_.stage.Read().in, 5U);
}

TEST_F(JvmSessionTest, ADamagedRecordingIsGivenUpAndAnotherBegun) {
  StartRecording();
  Advance(absl::Seconds(20));
  TakeActions();
  size_ -= kChunk;
  Append("b");
  Answer(AttachOutcome::kOk);
  EXPECT_EQ(component_metrics_->failed_reads.Value(), 1);
  EXPECT_EQ(StateName(), "refused");
  Advance(absl::Seconds(3));
  EXPECT_THAT(TakeActions(), ElementsAre(AttachAction::kStart));
}

TEST_F(JvmSessionTest, TriesAgainWithGrowingWaitsButNotForever) {
  std::vector<absl::Duration> waits;
  absl::Duration last = now_.monotonic;
  session_->Tick(now_);
  for (int tries = 0; tries < 12; ++tries) {
    Answer(AttachOutcome::kAgentRefused);
    EXPECT_EQ(StateName(), "refused");
    TakeActions();
    while (actions_.empty()) Advance(absl::Milliseconds(100));
    waits.push_back(now_.monotonic - last);
    last = now_.monotonic;
  }
  EXPECT_LT(waits.front(), absl::Seconds(2));
  EXPECT_TRUE(std::ranges::is_sorted(waits));
  EXPECT_LT(waits.back(), absl::Minutes(7));
  Answer(AttachOutcome::kOk, NewRecording("o"));
  EXPECT_EQ(StateName(), "attached");
  EXPECT_EQ(session_->State(now_)["failures"], 0);
}

TEST_F(JvmSessionTest, AHangingRotationKeepsTheRecording) {
  StartRecording();
  Advance(absl::Seconds(20));
  Answer(AttachOutcome::kTimeout);
  EXPECT_EQ(StateName(), "attached");
  EXPECT_EQ(session_->State(now_)["reason"], "timeout");
  TakeActions();
  Advance(absl::Seconds(60));
  EXPECT_THAT(TakeActions(), ElementsAre(AttachAction::kDump));
}

TEST_F(JvmSessionTest, AProcessThatEndedIsReadAndNotTriedAgain) {
  StartRecording();
  Advance(absl::Seconds(20));
  TakeActions();
  Rotate();
  Answer(AttachOutcome::kGone);
  EXPECT_EQ(metrics_.stage.Read().in, 5U);
  EXPECT_EQ(StateName(), "gone");
  Advance(absl::Minutes(30));
  EXPECT_THAT(TakeActions(), ElementsAre());
  session_->Stop();
  Advance(absl::Milliseconds(200));
  EXPECT_TRUE(session_->ended());
}

TEST_F(JvmSessionTest, StopEndsTheRecordingAndReadsItsEnd) {
  StartRecording();
  session_->Stop();
  Advance(absl::Milliseconds(200));
  EXPECT_THAT(TakeActions(), ElementsAre(AttachAction::kStop));
  EXPECT_FALSE(session_->ended());
  size_ -= kChunk;
  Append("f");
  Answer(AttachOutcome::kOk);
  Advance(absl::Milliseconds(200));
  EXPECT_TRUE(session_->ended());
  EXPECT_EQ(metrics_.stage.Read().in, 5U);
}

}  // namespace
}  // namespace stoker::java
